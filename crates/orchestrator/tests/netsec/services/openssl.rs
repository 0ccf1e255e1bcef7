//! OpenSSL's keys, and OpenSSL as the judge of signatures.

use std::{fs, path::Path, process::Command};

use crate::support::Workplace;

fn openssl(directory: &Path, arguments: &str) -> bool {
    let called = Command::new("openssl")
        .args(arguments.split(' '))
        .current_dir(directory)
        .output();
    called.unwrap().status.success()
}

#[test]
fn keys_of_openssl_sign_and_openssl_finds_the_signatures_right() {
    let place = Workplace::new();
    place.write_tiny(300);
    let root = place.path("");
    assert!(openssl(
        &root,
        "genpkey -algorithm ed25519 -out private.pem"
    ));
    assert!(openssl(
        &root,
        "pkey -in private.pem -pubout -out public.pem"
    ));
    let keys = [
        "--signing-key",
        "private.pem",
        "--trusted-keys",
        "public.pem",
    ];
    place.run_tiny(&keys);
    let manifests = place.path("artifacts/registry/models/tiny/manifests");
    let paths = fs::read_dir(&manifests).unwrap().map(|e| e.unwrap().path());
    let manifest = paths
        .into_iter()
        .find(|path| path.extension().is_some_and(|e| e == "json"))
        .unwrap();
    fs::copy(&manifest, root.join("manifest.json")).unwrap();
    fs::copy(manifest.with_extension("sig"), root.join("manifest.sig")).unwrap();
    let verify =
        "pkeyutl -verify -pubin -inkey public.pem -rawin -in manifest.json -sigfile manifest.sig";
    assert!(openssl(&root, verify));
    let text = fs::read_to_string(&manifest).unwrap();
    fs::write(root.join("manifest.json"), text.replace("tiny", "tina")).unwrap();
    assert!(!openssl(&root, verify));

    let model = place.path("artifacts/registry/models/tiny");
    let entry = fs::read(model.join("history/00000001.json")).unwrap();
    let name = format!("signatures/00000001-{}.sig", artifact::Digest::of(&entry));
    fs::write(root.join("manifest.json"), &entry).unwrap();
    fs::copy(model.join(name), root.join("manifest.sig")).unwrap();
    assert!(openssl(&root, verify));

    let manifest: serde_json::Value = serde_json::from_str(&text).unwrap();
    for part in ["bundle", "training_groups", "evaluation"] {
        let named = |what: &str| manifest[part][what].as_str().unwrap().to_owned();
        let blob = format!("artifacts/registry/blobs/{}.bin", named("digest"));
        let summed = Command::new("sha256sum").arg(root.join(blob)).output();
        let summed = String::from_utf8(summed.unwrap().stdout).unwrap();
        assert!(summed.starts_with(&named("sha256")), "{part}: {summed}");
    }

    let encrypt = "pkey -in private.pem -aes256 -passout pass:word -out encrypted.pem";
    assert!(openssl(&root, encrypt));
    let refused = place.call(&[
        "models",
        "sign",
        "tiny",
        "--version",
        "1",
        "--signing-key",
        "encrypted.pem",
    ]);
    assert_eq!(refused.code, 78);
    assert!(refused.err.contains("it is encrypted"), "{}", refused.err);
}
