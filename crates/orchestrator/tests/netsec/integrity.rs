//! Manifests and signatures: what is loaded only when it is as it was signed.

use std::{
    fs,
    path::{Path, PathBuf},
};

use artifact::Digest;
use ed25519_compact::{KeyPair, Seed};
use serde_json::Value;

use crate::support::{Called, TINY, Workplace};

pub const TRUST: [&str; 2] = ["--trusted-keys", "public.pem"];
pub const SIGN: [&str; 2] = ["--signing-key", "private.pem"];
const VERIFY: [&str; 2] = ["models", "verify"];

pub fn place_with_keys() -> Workplace {
    let place = Workplace::new();
    place.write_tiny(300);
    let pair = KeyPair::from_seed(Seed::from_slice(&[7; 32]).unwrap());
    let private = place.write("private.pem", pair.sk.to_pem());
    only_for_owner(&private);
    place.write("public.pem", pair.pk.to_pem());
    place
}

#[cfg(unix)]
fn only_for_owner(file: &str) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(file, fs::Permissions::from_mode(0o600)).unwrap();
}

#[cfg(not(unix))]
fn only_for_owner(_: &str) {}

/// Makes two versions, both signed, and rolls back to the first.
pub fn place_with_two_versions() -> Workplace {
    let place = place_with_keys();
    place.run_tiny(&SIGN);
    place.run_tiny(&[&SIGN[..], &["--seed", "8"]].concat());
    let back = ["models", "rollback", "tiny", "--why", "a test"];
    assert_eq!(call(&place, &[&back, &SIGN]).code, 0);
    place
}

/// Writes into the history, as its entry 4, that version 2 was promoted: nobody has decided that.
fn forge(place: &Workplace) {
    let history = place.path("artifacts/registry/models/tiny/history");
    let second = fs::read(history.join("00000002.json")).unwrap();
    let mut entry: Value = serde_json::from_slice(&second).unwrap();
    assert_eq!(entry["version"], 2);
    entry["why"] = "nobody knows".into();
    write_entry(&history, 4, entry);
}

/// Writes an entry behind the last, as a program would.
pub fn write_entry(history: &Path, sequence: u64, mut entry: Value) {
    let file = |sequence: u64| history.join(format!("{sequence:08}.json"));
    let last = fs::read(file(sequence - 1)).unwrap();
    entry["sequence"] = sequence.into();
    entry["previous"] = Digest::of(&last).to_string().into();
    fs::write(file(sequence), entry.to_string()).unwrap();
}

pub const PREDICT: [&str; 5] = ["predict", "--input", "tiny.csv", "--output", "out.csv"];

#[test]
fn signing_a_version_signs_no_decision_and_says_which_ones_nobody_has_signed() {
    let place = place_with_two_versions();
    forge(&place);
    let refused = call(&place, &[&PREDICT, &TRUST]);
    assert_eq!(refused.code, 65, "{}", refused.err);
    for words in ["models disown tiny --entry 4", "models sign tiny --entry 4"] {
        assert!(refused.err.contains(words), "{words}: {}", refused.err);
    }
    let sign = ["models", "sign", "tiny"];
    let unsaid = call(&place, &[&sign, &SIGN, &TRUST]);
    assert_eq!(unsaid.code, 64, "{}", unsaid.err);
    let signed = call(&place, &[&sign, &["--version", "2"], &SIGN, &TRUST]);
    assert_eq!(signed.code, 0, "{}", signed.err);
    let said = "entry 4 of the history (promoted version 2, because: nobody knows) is not signed";
    assert!(signed.err.contains(said), "{}", signed.err);
    assert!(!signed.out.contains("entry"), "{}", signed.out);
    assert_eq!(call(&place, &[&PREDICT, &TRUST]).code, 65);
    // Somebody has looked at this one.
    let chosen = call(&place, &[&sign, &["--entry", "4"], &SIGN, &TRUST]);
    assert_eq!(chosen.code, 0, "{}", chosen.err);
    let said = "entry 4 of the history (promoted version 2, because: nobody knows) is signed by";
    assert!(chosen.out.contains(said), "{}", chosen.out);
    let predicted = call(&place, &[&PREDICT, &TRUST]);
    assert_eq!(predicted.code, 0, "{}", predicted.err);
}

#[test]
fn a_decision_that_was_disowned_does_not_count_and_the_registry_verifies_again() {
    let place = place_with_two_versions();
    let disown = ["models", "disown", "tiny", "--why", "a test", "--entry"];
    let own = call(&place, &[&disown, &["3"], &SIGN, &TRUST]);
    assert_eq!(own.code, 64, "{}", own.err);
    assert!(own.err.contains("models rollback"), "{}", own.err);
    forge(&place);
    for command in [&PREDICT[..], &VERIFY, &["models", "list"]] {
        let refused = call(&place, &[command, &TRUST]);
        assert_eq!(refused.code, 65, "{}", refused.err);
        assert!(refused.err.contains("models disown"), "{}", refused.err);
    }
    let disown = [&disown[..], &["4"]].concat();
    assert_eq!(call(&place, &[&disown, &TRUST]).code, 64);
    let disowned = call(&place, &[&disown, &SIGN, &TRUST]);
    assert_eq!(disowned.code, 0, "{}", disowned.err);
    for keys in [&[][..], &TRUST] {
        for command in [&PREDICT[..], &VERIFY] {
            let called = call(&place, &[command, keys]);
            assert_eq!(called.code, 0, "{}", called.err);
        }
        let list = call(&place, &[&["models", "list"], keys]);
        assert!(
            list.out.contains("rolled back to version 1"),
            "{}",
            list.out
        );
        let at = ["models", "history", "tiny", "--at", "2999-01-01"];
        let then = call(&place, &[&at, keys]);
        assert!(
            then.out.contains("rolled back to version 1"),
            "{}",
            then.out
        );
        let history = call(&place, &[&["models", "history", "tiny"], keys]);
        for words in ["disowned entry 4, about version 2", "disowned by entry 5"] {
            assert!(history.out.contains(words), "{}", history.out);
        }
    }
    let sign = ["models", "sign", "tiny", "--entry", "4"];
    let refused = call(&place, &[&sign, &SIGN, &TRUST]);
    assert_eq!(refused.code, 65, "{}", refused.err);
    assert!(
        refused.err.contains("disowned by entry 5"),
        "{}",
        refused.err
    );
}

#[test]
fn an_evaluation_that_only_a_forged_entry_names_is_not_signed_with_its_version() {
    let place = place_with_two_versions();
    let registry = place.path("artifacts/registry");
    let history = registry.join("models/tiny/history");
    let read = |name: &str| -> Value {
        serde_json::from_slice(&fs::read(history.join(name)).unwrap()).unwrap()
    };
    let mut entry = read("00000002.json");
    let own = entry["evaluation"].as_str().unwrap()[..8].to_owned();
    entry["evaluation"] = read("00000001.json")["evaluation"].clone();
    entry["action"] = "declined".into();
    write_entry(&history, 4, entry);
    let sign = ["models", "sign", "tiny", "--version", "2"];
    let refused = call(&place, &[&sign, &SIGN, &TRUST]);
    assert_eq!(refused.code, 65, "{}", refused.err);
    let disown = [
        "models", "disown", "tiny", "--why", "forged", "--entry", "4",
    ];
    assert_eq!(call(&place, &[&disown, &SIGN, &TRUST]).code, 0);
    let signed = call(&place, &[&sign, &SIGN, &TRUST]);
    assert_eq!(signed.code, 0, "{}", signed.err);
    let said = format!("with its evaluation {own}");
    assert!(signed.out.contains(&said), "{}", signed.out);
    assert_eq!(signed.out.lines().count(), 1, "{}", signed.out);
    let verified = call(&place, &[&VERIFY, &TRUST]);
    assert_eq!(verified.code, 0, "{}", verified.err);
    let said = "entry 4 is disowned; nobody loads it";
    assert!(verified.out.contains(said), "{}", verified.out);
    assert!(!verified.out.contains(" 0 bytes"), "{}", verified.out);
}

#[test]
fn a_run_whose_bundle_an_unsigned_entry_names_already_says_so() {
    let place = place_with_keys();
    place.run_tiny(&SIGN);
    place.run_tiny(&[&SIGN[..], &["--seed", "8"]].concat());
    let model = place.path("artifacts/registry/models/tiny");
    let path = model.join("history/00000002.json");
    let mut entry: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    entry["action"] = "declined".into();
    fs::write(&path, entry.to_string()).unwrap();
    for signature in files(&place, "models/tiny/signatures", "sig") {
        let name = signature.file_name().unwrap().to_str().unwrap();
        if name.starts_with("00000002") {
            fs::remove_file(signature).unwrap();
        }
    }
    let evaluation = entry["evaluation"].as_str().unwrap();
    for extension in ["json", "sig"] {
        let file = format!("manifests/{evaluation}.{extension}");
        fs::remove_file(model.join(file)).unwrap();
    }
    let again = place.run_tiny(&[&SIGN[..], &TRUST, &["--seed", "8"]].concat());
    assert_eq!(again["verdict"]["promoted"], false, "{again}");
    let reasons = again["verdict"]["reasons"].to_string();
    let said = "models sign tiny --version 2 --entry 2`";
    assert!(reasons.contains(said), "{reasons}");
    assert!(!reasons.contains("NETSEC_SIGNING_KEY"), "{reasons}");
}

#[test]
fn a_disowning_that_nobody_has_signed_lets_nothing_in() {
    let place = place_with_two_versions();
    let disown = [
        "models", "disown", "tiny", "--why", "a test", "--entry", "3",
    ];
    // Without keys nobody can tell whose decision it is.
    assert_eq!(call(&place, &[&disown]).code, 64);
    forge(&place);
    let disown = [
        "models", "disown", "tiny", "--why", "a test", "--entry", "4",
    ];
    assert_eq!(call(&place, &[&disown]).code, 0);
    let refused = call(&place, &[&PREDICT, &TRUST]);
    assert_eq!(refused.code, 65, "{}", refused.err);
    assert!(refused.err.contains("entry 5"), "{}", refused.err);
    assert_eq!(call(&place, &[&VERIFY, &TRUST]).code, 65);
    // It can be disowned itself; what it has disowned is a matter of its own then.
    let again = |entry: &'static str| {
        let disown = [
            "models", "disown", "tiny", "--why", "a test", "--entry", entry,
        ];
        assert_eq!(call(&place, &[&disown, &SIGN, &TRUST]).code, 0);
    };
    again("5");
    assert_eq!(call(&place, &[&PREDICT, &TRUST]).code, 65);
    again("4");
    assert_eq!(call(&place, &[&PREDICT, &TRUST]).code, 0);
    let verified = call(&place, &[&VERIFY, &TRUST]);
    assert_eq!(verified.code, 0, "{}", verified.err);
}

#[test]
fn a_version_that_was_withdrawn_comes_back_by_nothing_and_the_registry_verifies() {
    let place = place_with_keys();
    place.run_tiny(&SIGN);
    place.run_tiny(&[&SIGN[..], &["--seed", "8"]].concat());
    let withdraw = [
        "models",
        "withdraw",
        "tiny",
        "--version",
        "2",
        "--why",
        "poisoned",
    ];
    let serves = call(&place, &[&withdraw, &SIGN, &TRUST]);
    assert_eq!(serves.code, 64, "{}", serves.err);
    assert!(
        serves.err.contains("models rollback tiny"),
        "{}",
        serves.err
    );
    let first = "models withdraw tiny --version 1";
    assert!(serves.err.contains(first), "{}", serves.err);
    let back = ["models", "rollback", "tiny", "--why", "a test"];
    assert_eq!(call(&place, &[&back, &SIGN, &TRUST]).code, 0);
    let voiceless = call(&place, &[&withdraw, &TRUST]);
    assert_eq!(voiceless.code, 64, "{}", voiceless.err);
    let said = "withdraw and disown";
    assert!(voiceless.err.contains(said), "{}", voiceless.err);
    let withdrawn = call(&place, &[&withdraw, &SIGN, &TRUST]);
    assert_eq!(withdrawn.code, 0, "{}", withdrawn.err);
    let forced = ["--version", "2", "--force", "--why", "a test"];
    let export = [
        "--version",
        "2",
        "--format",
        "bundle",
        "--output",
        "bundle.bin",
    ];
    for command in [
        [&["models", "promote", "tiny"], &forced[..], &SIGN].concat(),
        [&["models", "rollback", "tiny"], &["--to", "2"][..], &SIGN].concat(),
        [&["models", "export", "tiny"], &export[..]].concat(),
    ] {
        let refused = call(&place, &[&command]);
        assert_eq!(refused.code, 65, "{}", refused.err);
        let said = "version 2 was withdrawn";
        assert!(refused.err.contains(said), "{}", refused.err);
    }
    for keys in [&SIGN[..], &[&SIGN[..], &TRUST].concat()] {
        let again = place.run_tiny(&[keys, &["--seed", "8"]].concat());
        let verdict = &again["verdict"];
        assert_eq!(verdict["promoted"], false, "{verdict}");
        let reasons = verdict["reasons"].to_string();
        assert!(reasons.contains("was withdrawn (poisoned)"), "{reasons}");
    }
    for path in files(&place, "models/tiny/manifests", "sig") {
        let text = fs::read_to_string(path.with_extension("json")).unwrap();
        let entry = place.path("artifacts/registry/models/tiny/history/00000002.json");
        let entry: Value = serde_json::from_str(&fs::read_to_string(entry).unwrap()).unwrap();
        if text.contains(entry["evaluation"].as_str().unwrap()) {
            fs::remove_file(path).unwrap();
        }
    }
    for command in [&PREDICT[..], &VERIFY, &["models", "list"]] {
        let called = call(&place, &[command, &TRUST]);
        assert_eq!(called.code, 0, "{}", called.err);
    }
    let verified = call(&place, &[&VERIFY, &TRUST]);
    let said = "was withdrawn (poisoned); nobody loads it";
    assert!(verified.out.contains(said), "{}", verified.out);
    let history = call(&place, &[&["models", "history", "tiny"]]);
    let said = "withdrew version 2";
    assert!(history.out.contains(said), "{}", history.out);
}

#[test]
fn a_registry_without_signatures_is_taken_over_as_documented() {
    let place = place_with_keys();
    place.run_tiny(&[]);
    place.run_tiny(&["--seed", "8"]);
    let third = ["run", "--json", "--seed", "9", "--source", "tiny.csv"];
    let declined = call(&place, &[&third, &TINY]);
    let declined: Value = serde_json::from_str(&declined.out).unwrap();
    assert_eq!(declined["verdict"]["promoted"], false, "{declined}");

    let sign = ["models", "sign", "tiny", "--version", "2", "--entry", "2"];
    let signed = call(&place, &[&sign, &SIGN]);
    assert_eq!(signed.code, 0, "{}", signed.err);
    let withdraw = |version: &'static str| {
        let said = ["--version", version, "--why", "not to serve"];
        let done = call(
            &place,
            &[&["models", "withdraw", "tiny"], &said, &SIGN, &TRUST],
        );
        assert_eq!(done.code, 0, "{}", done.err);
    };
    withdraw("1");
    let half = call(&place, &[&VERIFY, &TRUST]);
    assert_eq!(half.code, 65, "{}", half.out);
    withdraw("3");
    let verified = call(&place, &[&VERIFY, &TRUST]);
    assert_eq!(verified.code, 0, "{}", verified.err);
    let said = "was withdrawn (not to serve); nobody loads it, nor asks who has signed entry 1";
    assert!(verified.out.contains(said), "{}", verified.out);
    for command in [
        &PREDICT[..],
        &["models", "list"],
        &["models", "show", "tiny"],
    ] {
        let called = call(&place, &[command, &TRUST]);
        assert_eq!(called.code, 0, "{}", called.err);
    }
    let history = call(&place, &[&["models", "history", "tiny"], &TRUST]);
    let marked = history.out.lines().map(|l| l.ends_with("; is not signed"));
    let marked: Vec<bool> = marked.collect();
    assert_eq!(marked, [true, false, true, false, false], "{}", history.out);
    // What served by a decision that nobody who is trusted has signed is not told, whatever it says.
    let path = place.path("artifacts/registry/models/tiny/history/00000001.json");
    let text = fs::read_to_string(&path).unwrap();
    let mut entry: Value = serde_json::from_str(&text).unwrap();
    entry["at"] = "2020-01-01T00:00:00Z".into();
    fs::write(&path, entry.to_string()).unwrap();
    let at = ["models", "history", "tiny", "--at", "2021-01-01"];
    let then = call(&place, &[&at, &TRUST]);
    assert_eq!((then.code, &*then.out), (65, ""), "{}", then.err);
    fs::write(&path, text).unwrap();
    // And a changed one takes no champion away.
    let path = place.path("artifacts/registry/models/tiny/history/00000003.json");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("\"declined\"", "\"promoted\"")).unwrap();
    for command in [&PREDICT[..], &VERIFY, &["models", "list"]] {
        let refused = call(&place, &[command, &TRUST]);
        assert_eq!(refused.code, 65, "{}", refused.out);
        let said = "behind another entry 3";
        assert!(
            refused.err.contains(said) || command == VERIFY,
            "{}",
            refused.err
        );
    }
}

#[test]
fn what_served_is_named_only_by_a_decision_that_a_trusted_key_has_signed() {
    let place = place_with_two_versions();
    forge(&place);
    let list = ["models", "list"];
    let at = ["models", "history", "tiny", "--at", "2999-01-01"];
    for json in [&[][..], &["--json"]] {
        let listed = call(&place, &[&list, &TRUST, json]);
        assert_eq!(listed.code, 65, "{}", listed.out);
        assert!(!listed.out.contains("promoted"), "{}", listed.out);
        assert!(listed.err.contains("entry 4"), "{}", listed.err);
        let then = call(&place, &[&at, &TRUST, json]);
        assert_eq!((then.code, &*then.out), (65, ""), "{}", then.err);
        assert!(then.err.contains("entry 4"), "{}", then.err);
    }
    let history = call(&place, &[&at[..3], &TRUST]);
    assert_eq!(history.code, 0, "{}", history.err);
    let lines: Vec<&str> = history.out.lines().collect();
    assert!(lines[3].contains("promoted version 2"), "{}", lines[3]);
    assert!(lines[3].ends_with("; is not signed"), "{}", lines[3]);
    assert!(!lines[2].contains("signed"), "{}", lines[2]);
}

#[test]
fn a_challenger_that_nobody_has_signed_is_not_named() {
    let place = place_with_two_versions();
    let history = place.path("artifacts/registry/models/tiny/history");
    let second = fs::read(history.join("00000002.json")).unwrap();
    let mut entry: Value = serde_json::from_slice(&second).unwrap();
    entry["action"] = "declined".into();
    write_entry(&history, 4, entry);
    let list = |keys: &[&str]| {
        let listed = call(&place, &[&["models", "list", "--json"], keys]);
        assert_eq!(listed.code, 0, "{}", listed.err);
        let models: Value = serde_json::from_str(&listed.out).unwrap();
        assert_eq!(models[0]["champion"]["version"], 1);
        (models[0]["challenger"]["version"].clone(), listed.err)
    };
    assert_eq!(list(&[]).0, 2);
    let (challenger, said) = list(&TRUST);
    assert!(challenger.is_null(), "{challenger}");
    assert!(said.contains("models sign tiny --entry 4"), "{said}");
    let show = |keys: &[&str]| call(&place, &[&["models", "show", "tiny"], keys]);
    assert!(show(&[]).out.contains("challenger"));
    let shown = show(&TRUST);
    assert_eq!(shown.code, 0, "{}", shown.err);
    assert!(!shown.out.contains("challenger"), "{}", shown.out);
    assert!(shown.err.contains("--entry 4"), "{}", shown.err);
}

#[test]
fn an_empty_name_of_a_file_of_trusted_keys_is_refused() {
    let place = place_with_keys();
    place.run_tiny(&SIGN);
    let flag = call(&place, &[&PREDICT, &["--trusted-keys", ""]]);
    let variable = place.call_with(&PREDICT, &[("NETSEC_TRUSTED_KEYS", "")]);
    for refused in [flag, variable] {
        assert_eq!(refused.code, 64, "{}", refused.err);
        assert!(
            refused.err.contains("NETSEC_TRUSTED_KEYS"),
            "{}",
            refused.err
        );
    }
    place.write("none.pem", "# nobody yet\n");
    let none = call(&place, &[&PREDICT, &["--trusted-keys", "none.pem"]]);
    assert_eq!(none.code, 78, "{}", none.err);
}

#[cfg(unix)]
#[test]
fn a_private_key_that_others_may_read_is_warned_of() {
    use std::os::unix::fs::PermissionsExt as _;
    let place = place_with_keys();
    place.run_tiny(&SIGN);
    let sign = ["models", "sign", "tiny", "--version", "1"];
    for (mode, is_warned_of) in [(0o600, false), (0o640, true), (0o604, true)] {
        let permissions = fs::Permissions::from_mode(mode);
        fs::set_permissions(place.path("private.pem"), permissions).unwrap();
        let signed = call(&place, &[&sign, &SIGN]);
        assert_eq!(signed.code, 0, "{}", signed.err);
        let is_said = signed.err.contains("`chmod 600 private.pem`");
        assert_eq!(is_said, is_warned_of, "{mode:o}: {}", signed.err);
    }
}

pub fn call(place: &Workplace, parts: &[&[&str]]) -> Called {
    place.call(&parts.concat())
}

pub fn files(place: &Workplace, directory: &str, extension: &str) -> Vec<PathBuf> {
    let directory = place.path("artifacts/registry").join(directory);
    let entries = fs::read_dir(directory).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    paths
        .filter(|path| path.extension().is_some_and(|e| e == extension))
        .collect()
}

#[test]
fn a_signed_champion_serves_and_one_that_is_not_is_refused_until_it_is_signed() {
    let place = place_with_keys();
    place.run_tiny(&[]);
    let verified = call(&place, &[&VERIFY]);
    assert_eq!(verified.code, 0, "{}", verified.err);
    assert!(verified.out.contains("is not signed"), "{}", verified.out);

    let predict = ["predict", "--input", "tiny.csv", "--output", "out.csv"];
    for refused in [
        call(&place, &[&predict, &TRUST]),
        call(&place, &[&VERIFY, &TRUST]),
    ] {
        assert_eq!(refused.code, 65, "{}", refused.err);
        assert!(refused.err.contains("version 1"), "{}", refused.err);
        assert!(refused.err.contains("is not signed"), "{}", refused.err);
    }
    let sign = ["models", "sign", "tiny", "--version", "1", "--entry", "1"];
    let keyless = call(&place, &[&sign]);
    assert_eq!(keyless.code, 64, "{}", keyless.err);
    assert!(keyless.err.contains("--signing-key"), "{}", keyless.err);
    let signed = call(&place, &[&sign, &SIGN]);
    assert_eq!(signed.code, 0, "{}", signed.err);
    assert!(
        signed.out.contains("version 1 is signed by"),
        "{}",
        signed.out
    );
    for accepted in [
        call(&place, &[&predict, &TRUST]),
        call(&place, &[&VERIFY, &TRUST]),
    ] {
        assert_eq!(accepted.code, 0, "{}", accepted.err);
    }
}

#[test]
fn a_run_signs_what_it_registers_and_without_a_key_is_declined_where_signatures_count() {
    let place = place_with_keys();
    place.run_tiny(&[&SIGN[..], &TRUST].concat());
    let verified = call(&place, &[&VERIFY, &TRUST, &["--json"]]);
    assert_eq!(verified.code, 0, "{}", verified.err);
    let verified: Value = serde_json::from_str(&verified.out).unwrap();
    assert_eq!(verified[0]["versions"][0]["seal"], "trusted", "{verified}");

    let other = ["--seed", "8", "--source", "tiny.csv"];
    let declined = call(&place, &[&["run", "--json"], &other, &TINY, &TRUST]);
    assert_eq!(declined.code, 0, "{}", declined.err);
    let declined: Value = serde_json::from_str(&declined.out).unwrap();
    assert_eq!(declined["verdict"]["promoted"], false, "{declined}");
    let reasons = declined["verdict"]["reasons"].to_string();
    for words in [
        "NETSEC_SIGNING_KEY",
        "`netsec models sign tiny --version N --entry K`",
    ] {
        assert!(reasons.contains(words), "{words}: {reasons}");
    }
    let promote = [
        "models",
        "promote",
        "tiny",
        "--version",
        "2",
        "--force",
        "--why",
        "a test",
    ];
    assert_eq!(call(&place, &[&promote, &TRUST]).code, 65);
    let sign = |entry: &'static str| {
        let version = ["--version", "2", "--entry", entry];
        let signed = call(&place, &[&["models", "sign", "tiny"], &version, &SIGN]);
        assert_eq!(signed.code, 0, "{}", signed.err);
    };
    sign("2");
    // Trained again it is as good, but nobody signs that it is to serve.
    let forced = ["run", "--json", "--force", "--why", "a test"];
    let again = call(&place, &[&forced, &other, &TINY, &TRUST]);
    assert_eq!(again.code, 0, "{}", again.err);
    let again: Value = serde_json::from_str(&again.out).unwrap();
    assert_eq!(again["verdict"]["promoted"], false, "{again}");
    let reasons = again["verdict"]["reasons"].to_string();
    assert!(reasons.contains("no trusted key signs"), "{reasons}");
    sign("3");
    let voiceless = call(&place, &[&promote, &TRUST]);
    assert_eq!(voiceless.code, 64, "{}", voiceless.err);
    assert!(
        voiceless.err.contains("NETSEC_SIGNING_KEY"),
        "{}",
        voiceless.err
    );
    assert_eq!(call(&place, &[&promote, &TRUST, &SIGN]).code, 0);
    let verified = call(&place, &[&VERIFY, &TRUST]);
    assert_eq!(verified.code, 0, "{}", verified.err);
}

#[test]
fn a_key_takes_over_what_a_trusted_key_has_signed_and_names_the_rest() {
    let place = place_with_keys();
    place.run_tiny(&SIGN);
    place.run_tiny(&["--seed", "8"]);
    for path in files(&place, "models/tiny/manifests", "json") {
        let signature = path.with_extension("sig");
        if !signature.exists() {
            fs::write(signature, "").unwrap();
        }
    }
    let pair = KeyPair::from_seed(Seed::from_slice(&[8; 32]).unwrap());
    place.write("next.pem", pair.sk.to_pem());
    place.write("next-public.pem", pair.pk.to_pem());
    let all = [
        "models",
        "sign",
        "tiny",
        "--all",
        "--signing-key",
        "next.pem",
    ];
    let blind = call(&place, &[&all]);
    assert_eq!(blind.code, 64, "{}", blind.err);
    assert!(blind.err.contains("--trusted-keys"), "{}", blind.err);
    let signed = call(&place, &[&all, &TRUST]);
    assert_eq!(signed.code, 65, "{}", signed.err);
    assert_eq!(signed.out.matches("version 1 is signed by").count(), 1);
    assert!(!signed.out.contains("version 2 is"), "{}", signed.out);
    assert!(signed.err.contains("version 2"), "{}", signed.err);
    let next = ["--trusted-keys", "next-public.pem", "--version"];
    let verify = |version| call(&place, &[&VERIFY, &["tiny"], &next, &[version]]);
    assert_eq!(verify("1").code, 0);
    let second = verify("2");
    assert_eq!(second.code, 65);
    assert!(second.err.contains("holds no signature"), "{}", second.err);
}

#[test]
fn a_history_that_says_what_its_bundle_does_not_is_found_as_it_is_by_who_loads_it() {
    let place = place_with_keys();
    place.run_tiny(&SIGN);
    let entry = place.path("artifacts/registry/models/tiny/history/00000001.json");
    let text = fs::read_to_string(&entry).unwrap();
    let changed = text.replace("\"simulated\": false", "\"simulated\": true");
    assert_ne!(changed, text);
    fs::write(&entry, changed).unwrap();
    let predict = ["predict", "--input", "tiny.csv", "--output", "out.csv"];
    assert_eq!(call(&place, &[&predict]).code, 70);
    let found = call(&place, &[&VERIFY]);
    assert_eq!(found.code, 65, "{}", found.err);
    assert!(found.err.contains("simulated"), "{}", found.err);
    let changed = text.replace("a test", "no test");
    fs::write(&entry, changed).unwrap();
    for keys in [&[][..], &TRUST] {
        let found = call(&place, &[&VERIFY, keys]);
        assert_eq!(found.code, 65, "{}", found.out);
        let said = "because: no test) is not signed, but `models/tiny/signatures/00000001-";
        assert!(found.err.contains(said), "{}", found.err);
    }
    assert_eq!(call(&place, &[&predict, &TRUST]).code, 65);
    // Without keys nothing is seen when the signature is gone as well, and nothing says that it was looked for.
    let signatures = place.path("artifacts/registry/models/tiny/signatures");
    fs::remove_dir_all(signatures).unwrap();
    let unseen = call(&place, &[&VERIFY]);
    assert_eq!(unseen.code, 0, "{}", unseen.err);
    let said = "bytes are what the history says";
    assert!(unseen.out.contains(said), "{}", unseen.out);
    assert_eq!(call(&place, &[&VERIFY, &TRUST]).code, 65);
    assert_eq!(call(&place, &[&predict, &TRUST]).code, 65);
}

#[test]
fn where_there_is_no_model_nothing_is_called_verified() {
    let place = place_with_keys();
    let called = call(&place, &[&VERIFY, &["--registry", "typo"], &TRUST]);
    assert_eq!(called.code, 64, "{}", called.out);
    assert!(called.err.contains("no models in typo"), "{}", called.err);
}

#[test]
fn a_changed_bundle_is_found_by_its_file_and_named() {
    let place = place_with_keys();
    place.run_tiny(&SIGN);
    for path in files(&place, "blobs", "bin") {
        let whole = fs::read(&path).unwrap();
        let mut damaged = whole.clone();
        let middle = damaged.len() / 2;
        damaged[middle] ^= 1;
        fs::write(&path, damaged).unwrap();
        let found = call(&place, &[&VERIFY]);
        assert_eq!(found.code, 65);
        let name = path.file_name().unwrap().to_str().unwrap();
        assert!(found.err.contains(name), "{}", found.err);
        fs::write(&path, whole).unwrap();
    }
    let whole = call(&place, &[&VERIFY, &TRUST]);
    assert_eq!(whole.code, 0, "{}", whole.err);
}

#[test]
fn keys_that_cannot_be_read_end_the_program_before_it_begins() {
    let place = place_with_keys();
    let run = ["run", "--source", "tiny.csv"];
    for keys in [
        ["--trusted-keys", "absent.pem"],
        ["--trusted-keys", "private.pem"],
        ["--signing-key", "public.pem"],
        ["--signing-key", "tiny.csv"],
    ] {
        let refused = call(&place, &[&run, &TINY, &keys]);
        assert_eq!(refused.code, 78, "{}", refused.err);
        assert!(refused.err.contains(keys[1]), "{}", refused.err);
        assert!(!place.path("artifacts").exists());
    }
}
