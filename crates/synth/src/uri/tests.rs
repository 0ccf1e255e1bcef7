use super::*;

fn check(uri: &str) -> String {
    match parse_uri(uri) {
        Ok(source) => dataset::Source::description(&source).to_owned(),
        Err(e) => e.to_string(),
    }
}

#[test]
fn rows_and_seed_have_defaults() {
    let full = "synth://phishing?rows=11055&seed=1";
    assert_eq!(check("synth://phishing"), full);
    assert_eq!(check("synth://phishing?seed=1"), full);
    assert_eq!(
        check("synth://phishing?rows=7&seed=9"),
        "synth://phishing?rows=7&seed=9"
    );
}

#[test]
fn an_unknown_name_lists_the_known_ones() {
    let message = check("synth://phising?rows=5");
    assert!(message.contains("`phising`"), "{message}");
    assert!(
        message.contains("known: ") && message.contains("phishing"),
        "{message}"
    );
}

#[test]
fn an_unknown_key_lists_the_known_ones() {
    let message = check("synth://phishing?row=5");
    assert!(message.contains("did you mean `rows`"), "{message}");
    assert!(check("synth://phishing?colour=5").contains("known: rows, seed"));
}

#[test]
fn what_is_not_a_number_of_rows_is_refused() {
    assert!(check("synth://phishing?rows=many").contains("`rows=many` is not a whole number"));
    assert!(check("synth://phishing?rows=0").contains("at least 1"));
    assert!(check("synth://phishing?rows=99999999999").contains("at most 4294967294"));
    assert!(check("synth://phishing?rows=1&rows=2").contains("given twice"));
    assert!(check("phishing").contains("does not begin with synth://"));
}
