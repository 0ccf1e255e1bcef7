use super::*;

fn check(lines: &str, expected: &str) {
    let found = match KeyRing::parse(lines) {
        Err(error) => error,
        Ok(ring) => format!("{} keys", ring.keys.len()),
    };
    assert_eq!(found, expected);
}

#[test]
fn lines_are_read_and_their_faults_told_without_their_text() {
    let digest = Digest::of(b"secret");
    check("", "0 keys");
    check(&format!("# ours\n\nci predict {digest}\n"), "1 keys");
    check("ci predict", "line 1: 2 words, not NAME SCOPE SHA256");
    check(
        &format!("\nci root {digest}"),
        "line 2: the scope is neither `predict` nor `admin`",
    );
    check(
        "ci predict secret",
        "line 1: the third word is no SHA-256 digest",
    );
}

#[test]
fn a_key_opens_what_its_scope_says_and_another_opens_nothing() {
    let (predict, first) = make("ci", Scope::Predict).unwrap();
    let (admin, second) = make("ops", Scope::Admin).unwrap();
    assert!(!first.contains(&predict), "the file holds the key itself");
    let ring = KeyRing::parse(&format!("{first}\n{second}\n")).unwrap();
    let scope = |key: &str| ring.find(key).map(|granted| granted.scope);
    assert_eq!(scope(&predict), Some(Scope::Predict));
    assert_eq!(scope(&admin), Some(Scope::Admin));
    assert_eq!(scope(""), None);
    assert_eq!(scope(&predict[..predict.len() - 1]), None);
}

#[test]
fn a_name_of_a_key_fits_into_its_line() {
    for bad in ["", "#a", "a b", "a;b"] {
        assert!(make(bad, Scope::Predict).is_err(), "{bad}");
    }
}

#[test]
fn two_keys_of_one_name_work_until_one_is_taken_out() {
    let (old, first) = make("ci", Scope::Predict).unwrap();
    let (new, second) = make("ci", Scope::Predict).unwrap();
    let both = KeyRing::parse(&format!("{first}\n{second}")).unwrap();
    assert!(both.find(&old).is_some() && both.find(&new).is_some());
    let rotated = KeyRing::parse(&second).unwrap();
    assert!(rotated.find(&old).is_none() && rotated.find(&new).is_some());
}
