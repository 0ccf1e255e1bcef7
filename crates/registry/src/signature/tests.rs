use std::{fs, path::PathBuf};

use ed25519_compact::{KeyPair, Seed};

use super::*;

/// The first two tests of RFC 8032, section 7.1: secret key, public key, message, signature.
const RFC_8032: [[&str; 4]; 2] = [
    [
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ],
    [
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ],
];

fn bytes(hexadecimal: &str) -> Vec<u8> {
    let digits = hexadecimal.as_bytes().chunks(2);
    digits
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

fn key_pair(seed: &[u8]) -> KeyPair {
    KeyPair::from_seed(Seed::from_slice(seed).unwrap())
}

struct Files(tempfile::TempDir);

impl Files {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn write(&self, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.path().join("key.pem");
        fs::write(&path, text).unwrap();
        path
    }
}

#[test]
fn signatures_are_those_of_rfc_8032() {
    let files = Files::new();
    for [secret, public, message, signature] in RFC_8032.map(|of_test| of_test.map(bytes)) {
        let key = SigningKey::read(&files.write(key_pair(&secret).sk.to_pem())).unwrap();
        assert_eq!(key.sign(&message), signature);
        let public = PublicKey::from_slice(&public).unwrap();
        let trusted = TrustedKeys::read(&files.write(public.to_pem())).unwrap();
        assert_eq!(trusted.signer(&message, &signature), Some(key.name()));
    }
}

#[test]
fn a_signature_counts_for_its_text_and_by_trusted_keys_alone() {
    let files = Files::new();
    let pairs: Vec<KeyPair> = (1..4).map(|i| key_pair(&[i; 32])).collect();
    let two = pairs[0].pk.to_pem() + "\n" + &pairs[1].pk.to_pem();
    let trusted = TrustedKeys::read(&files.write(two)).unwrap();
    let signed = |at: usize| pairs[at].sk.sign(b"text", None).to_vec();
    assert_eq!(
        trusted.signer(b"text", &signed(0)),
        Some(name(&pairs[0].pk))
    );
    assert_eq!(
        trusted.signer(b"text", &signed(1)),
        Some(name(&pairs[1].pk))
    );
    assert_eq!(trusted.signer(b"text", &signed(2)), None);
    assert_eq!(trusted.signer(b"test", &signed(0)), None);
    assert_eq!(trusted.signer(b"text", &signed(0)[1..]), None);
    for bit in 0..64 * 8 {
        let mut flipped = signed(0);
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(trusted.signer(b"text", &flipped), None, "bit {bit}");
    }
}

#[test]
fn words_around_public_keys_are_passed_over() {
    let files = Files::new();
    let [one, two] = [1, 2].map(|seed| key_pair(&[seed; 32]).pk.to_pem());
    let told = format!("# of ann\n{one}\nED25519 Public-Key:\npub:\n    01:02\n{two}# end\n");
    let trusted = TrustedKeys::read(&files.write(told)).unwrap();
    assert_eq!(trusted.0.len(), 2);
    let private = format!("{one}{}", key_pair(&[1; 32]).sk.to_pem());
    TrustedKeys::read(&files.write(private)).unwrap_err();
}

#[test]
fn what_is_no_key_is_refused_with_what_to_do() {
    let files = Files::new();
    let told = |error: RegistryError| {
        let message = error.to_string();
        message.rsplit_once(".pem: ").unwrap().1.to_owned()
    };
    let not_private = |text: &[u8]| told(SigningKey::read(&files.write(text)).unwrap_err());
    let not_public = |text: &[u8]| told(TrustedKeys::read(&files.write(text)).unwrap_err());
    let no_private =
        "it holds no private Ed25519 key: `openssl genpkey -algorithm ed25519` makes one";
    let no_public = "what stands 1. there is no public Ed25519 key: `openssl pkey -in KEY -pubout` \
                     writes that of a private one";
    let pair = key_pair(&[1; 32]);
    let (private, public) = (pair.sk.to_pem(), pair.pk.to_pem());
    assert_eq!(not_private(b""), no_private);
    assert_eq!(not_private(public.as_bytes()), no_private);
    assert_eq!(not_private(b"\xff\xfe"), "it is not PEM, but binary");
    let encrypted =
        b"-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
    assert!(not_private(encrypted).starts_with("it is encrypted"));
    let empty = "it is empty, so that nothing could be trusted";
    assert_eq!(not_public(b"\n"), empty);
    assert_eq!(not_public(private.as_bytes()), no_public);
    assert_eq!(not_public(b"words"), no_public);
    let of_small_order = PublicKey::from_slice(&[0; 32]).unwrap().to_pem();
    assert_eq!(not_public(of_small_order.as_bytes()), no_public);
    let absent = SigningKey::read(&files.0.path().join("absent")).unwrap_err();
    assert!(absent.to_string().contains("absent"), "{absent}");
}

#[cfg(unix)]
#[test]
fn a_private_key_that_anybody_may_replace_is_refused_and_one_that_others_may_read_warned_of() {
    use std::os::unix::fs::PermissionsExt as _;
    let files = Files::new();
    let path = files.write(key_pair(&[1; 32]).sk.to_pem());
    let refused = None;
    for (mode, is_warned_of) in [
        (0o600, Some(false)),
        (0o400, Some(false)),
        (0o640, Some(true)),
        (0o604, Some(true)),
        (0o666, refused),
    ] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let read = SigningKey::read(&path).ok();
        let found = read.map(|key| key.warning().is_some());
        assert_eq!(found, is_warned_of, "{mode:o}");
    }
}
