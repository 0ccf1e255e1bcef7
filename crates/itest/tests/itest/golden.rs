//! The layout of every kind of artifact, held by a file of each that was written before.
//!
//! `golden/KIND.bin` is an artifact, `golden/KIND.txt` what it must decode to. After a deliberate
//! change of a layout: raise the type's `LAYOUT`, then write both anew with
//! `NETSEC_WRITE_GOLDEN=1 cargo test -p itest golden` and look at the difference of the `.txt` files.

use std::{
    collections::BTreeSet,
    fmt::Debug,
    fs,
    path::{Path, PathBuf},
};

use artifact::{Artifact, codec};

use crate::{architecture::sources, samples};

const MAX_BYTES: u64 = 10_000;

fn path(kind: &str, ending: &str) -> PathBuf {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden");
    golden.join(format!("{kind}.{ending}"))
}

/// Decodes the golden file of a kind: its value must be the one written down, and encode to the same
/// bytes. `sample` is what a new golden file is made of.
fn check<A: Artifact + Debug>(sample: impl FnOnce() -> A) {
    let (file, text) = (path(A::KIND, "bin"), path(A::KIND, "txt"));
    if std::env::var_os("NETSEC_WRITE_GOLDEN").is_some() {
        let sample = sample();
        fs::write(&file, codec::encode(&sample).unwrap()).unwrap();
        fs::write(&text, format!("{sample:#?}\n")).unwrap();
    }
    let remedy = format!(
        "the layout of `{}` has changed while its LAYOUT is still {}: files written before can no \
         longer be read rightly. Raise LAYOUT, then write the golden files anew as golden.rs says (a new field of the \
         schema, which travels as YAML, needs the latter alone)",
        A::KIND,
        A::LAYOUT
    );
    let bytes = fs::read(&file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
    assert!(bytes.len() as u64 <= MAX_BYTES, "{} bytes", bytes.len());
    let value: A = codec::decode(&bytes).unwrap_or_else(|e| panic!("{e}\n{remedy}"));
    let expected = fs::read_to_string(&text).unwrap();
    assert!(format!("{value:#?}\n") == expected, "{remedy}");
    assert!(codec::encode(&value).unwrap() == bytes, "{remedy}");
}

macro_rules! golden {
    ($($sample:ident)*) => {
        $(#[test]
        fn $sample() {
            check(samples::$sample);
        })*

        /// The functions of `samples`, which are named as the kinds are.
        const KINDS: &[&str] = &[$(stringify!($sample)),*];
    };
}

golden! {
    evaluation
    given_holdout
    holdout_set
    incumbent
    model_bundle
    promotion_record
    provenance
    raw_dataset
    reference_profile
    training_groups
    training_set
    validated_dataset
}

#[test]
fn every_kind_of_artifact_has_a_golden_file() {
    let mut declared = BTreeSet::new();
    for (path, text) in sources() {
        // The test modules inside a file of the product stand at its end.
        let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
        for after in text.split(" Artifact for ").skip(1) {
            let kind = after
                .split("const KIND: &'static str = \"")
                .nth(1)
                .and_then(|rest| rest.split('"').next())
                .unwrap_or_else(|| panic!("{}: a kind without KIND", path.display()));
            declared.insert(kind.replace('-', "_"));
        }
    }
    let held: BTreeSet<String> = KINDS.iter().map(|kind| (*kind).to_owned()).collect();
    assert_eq!(
        declared, held,
        "declared in the sources, and held by golden files"
    );
}
