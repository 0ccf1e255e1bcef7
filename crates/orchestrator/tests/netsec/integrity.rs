//! Manifests and signatures: what is loaded only when it is as it was signed.

use std::{fs, path::PathBuf};

use ed25519_compact::{KeyPair, Seed};
use serde_json::Value;

use crate::support::{Called, TINY, Workplace};

const TRUST: [&str; 2] = ["--trusted-keys", "public.pem"];
const SIGN: [&str; 2] = ["--signing-key", "private.pem"];
const VERIFY: [&str; 2] = ["models", "verify"];

fn place_with_keys() -> Workplace {
    let place = Workplace::new();
    place.write_tiny(300);
    let pair = KeyPair::from_seed(Seed::from_slice(&[7; 32]).unwrap());
    place.write("private.pem", pair.sk.to_pem());
    place.write("public.pem", pair.pk.to_pem());
    place
}

fn call(place: &Workplace, parts: &[&[&str]]) -> Called {
    place.call(&parts.concat())
}

fn files(place: &Workplace, directory: &str, extension: &str) -> Vec<PathBuf> {
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
    let sign = ["models", "sign", "tiny"];
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
    assert!(reasons.contains("NETSEC_SIGNING_KEY"), "{reasons}");
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
    let sign = ["models", "sign", "tiny", "--version", "2"];
    assert_eq!(call(&place, &[&sign, &SIGN]).code, 0);
    // Trained again it is as good, but nobody signs that it is to serve.
    let forced = ["run", "--json", "--force", "--why", "a test"];
    let again = call(&place, &[&forced, &other, &TINY, &TRUST]);
    assert_eq!(again.code, 0, "{}", again.err);
    let again: Value = serde_json::from_str(&again.out).unwrap();
    assert_eq!(again["verdict"]["promoted"], false, "{again}");
    let reasons = again["verdict"]["reasons"].to_string();
    assert!(reasons.contains("no trusted key signs"), "{reasons}");
    assert_eq!(call(&place, &[&sign, &SIGN]).code, 0);
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
        let said = "entry 1 of the history is not what was signed";
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
