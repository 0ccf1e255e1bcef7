//! Bundles whose content was tampered with and whose digest was made right again: whatever is loaded
//! must score, and nothing may be loaded at the price of memory.

use std::fs;

use artifact::{Digest, codec};
use dataset::Table;
use model::{Classifier, ModelBundle};
use proptest::prelude::*;

use crate::samples;

const HEAD_BYTES: usize = 8 + 2 + 1 + "model-bundle".len() + 8;

/// Changes the payload of an envelope and makes its length and digest right again.
fn tampered(bundle: &ModelBundle, change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut head = codec::encode(bundle).unwrap();
    let mut payload = head.split_off(HEAD_BYTES + 32);
    head.truncate(HEAD_BYTES);
    change(&mut payload);
    head[HEAD_BYTES - 8..].copy_from_slice(&(payload.len() as u64).to_le_bytes());
    let digest = Digest::of(&[head.as_slice(), &payload].concat());
    [head.as_slice(), digest.as_bytes(), &payload].concat()
}

/// Loads a bundle and, when it is taken, scores rows with it; returns whether it was.
fn load_and_score(bytes: &[u8]) -> bool {
    let Ok(bundle) = codec::decode::<ModelBundle>(bytes) else {
        return false;
    };
    for table in [samples::table(), extreme_rows(&bundle)] {
        // A table of the sample's columns need not suit a tampered schema, and is then refused.
        let Ok(scores) = bundle.score(&table) else {
            continue;
        };
        for row in 0..table.n_rows() {
            let p = scores.threat[row];
            assert!((0.0..=1.0).contains(&p), "a threat probability of {p}");
            let class = bundle.verdict(&scores, row).class();
            assert!(class < bundle.class_names().len(), "class {class}");
        }
    }
    true
}

/// Rows of the bundle's own columns at the ends of what a number can be.
fn extreme_rows(bundle: &ModelBundle) -> Table {
    let values = [f64::MAX, f64::MIN, 0.0, f64::MIN_POSITIVE];
    let columns = bundle.schema.features().map(|column| dataset::TableColumn {
        name: column.name.clone(),
        values: match column.may_be_missing {
            true => [&values[..], &[f64::NAN]].concat(),
            false => [&values[..], &[1.0]].concat(),
        },
    });
    Table::new(5, columns.collect())
}

fn bundle(of: usize) -> ModelBundle {
    let bundles: Vec<ModelBundle> = samples::bundles().into_values().collect();
    bundles[of % bundles.len()].clone()
}

#[test]
fn untouched_bundles_are_taken_and_score() {
    for (name, bundle) in samples::bundles() {
        assert!(load_and_score(&tampered(&bundle, |_| {})), "{name}");
    }
}

/// Loads and scores a bundle that was put together wrongly; it must be refused for this reason.
fn refused(name: &str, change: impl FnOnce(&mut ModelBundle), reason: &str) {
    let mut bundle = samples::bundles()[name].clone();
    change(&mut bundle);
    let bytes = codec::encode(&bundle).unwrap();
    assert!(!load_and_score(&bytes), "{reason}");
    let error = codec::decode::<ModelBundle>(&bytes).unwrap_err();
    assert!(error.to_string().contains(reason), "{error}");
}

#[test]
fn parts_that_do_not_go_together_are_refused() {
    let overflow = |bundle: &mut ModelBundle| {
        if let Classifier::Linear(linear) = &mut bundle.classifier {
            let weights = linear.coefficients.iter_mut().enumerate();
            weights.for_each(|(i, w)| *w = if i % 2 == 0 { 1e308 } else { -1e308 });
        }
    };
    refused("linear", overflow, "a weight of 1");
    let mean_lost = |bundle: &mut ModelBundle| {
        if let Classifier::Linear(linear) = &mut bundle.classifier {
            linear.background.pop();
        }
    };
    refused("linear", mean_lost, "means for");
    let forget = |bundle: &mut ModelBundle| {
        bundle.schema.derived.clear();
    };
    refused("boosted", forget, "no feature `log_port`");
    let unfilled = |bundle: &mut ModelBundle| {
        bundle.preprocessor = samples::bundles()["boosted"].preprocessor.clone();
        if let Classifier::Linear(linear) = &mut bundle.classifier {
            linear.n_features = bundle.preprocessor.n_features();
            linear.coefficients.truncate(linear.n_features);
            linear.background.truncate(linear.n_features);
        }
    };
    refused("linear", unfilled, "not imputed");
    let other = |bundle: &mut ModelBundle| {
        bundle.preprocessor = samples::bundles()["linear"].preprocessor.clone();
    };
    refused("boosted", other, "features, the classifier takes");
}

#[test]
fn every_byte_set_to_a_bad_value_is_refused_or_harmless() {
    for (name, bundle) in samples::bundles() {
        let n = codec::encode(&bundle).unwrap().len() - HEAD_BYTES - 32;
        let mut refused = 0;
        for at in 0..n {
            for value in [0, 1, 0x7f, 0x80, 0xf0, 251, 252, 253, 0xff] {
                let bytes = tampered(&bundle, |payload| payload[at] = value);
                refused += usize::from(!load_and_score(&bytes));
            }
        }
        assert!(refused > n / 4, "{name}: {refused} refused of {n} bytes");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn flipped_cut_and_grown_bundles_neither_panic_nor_score_nonsense(
        of in 0usize..4,
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        cut in prop::option::weighted(0.2, any::<prop::sample::Index>()),
        insert in prop::option::weighted(0.3, (any::<prop::sample::Index>(), prop::collection::vec(any::<u8>(), 1..12))),
    ) {
        load_and_score(&tampered(&bundle(of), |payload| {
            for (at, byte) in &flips {
                let at = at.index(payload.len());
                payload[at] ^= byte;
            }
            if let Some((at, bytes)) = insert {
                let at = at.index(payload.len());
                payload.splice(at..at, bytes);
            }
            if let Some(at) = cut {
                payload.truncate(at.index(payload.len()));
            }
        }));
    }
}

#[test]
fn a_length_that_no_payload_could_have_costs_no_memory() {
    // 253 announces eight bytes: a text of 4 GiB where the schema's stands, in a payload of kilobytes.
    let length = [&[253][..], &(4u64 << 30).to_le_bytes()].concat();
    let before = address_space();
    let bytes = tampered(&samples::model_bundle(), |payload| {
        let skip = 3; // the true length: 251 and two bytes
        payload.splice(..skip, length);
    });
    let error = codec::decode::<ModelBundle>(&bytes).unwrap_err();
    assert!(error.to_string().contains("LimitExceeded"), "{error}");
    let grown = address_space() - before;
    assert!(
        grown < 1 << 30,
        "{grown} bytes of address space were asked for"
    );
}

/// Returns the largest address space that this process has had, in bytes; 0 where that is not told.
fn address_space() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmPeak:"));
    let kilobytes = peak.and_then(|text| text.trim().trim_end_matches(" kB").parse::<u64>().ok());
    kilobytes.unwrap_or(0) << 10
}
