//! What somebody makes of a signed history who may write there, and what those who decide make of that.

use std::fs;

use serde_json::Value;

use crate::{
    integrity::{PREDICT, SIGN, TRUST, call, place_with_keys, place_with_two_versions},
    support::Workplace,
};

fn change(place: &Workplace, entry: &str, field: &str, value: &str) {
    let path = place
        .path("artifacts/registry/models/tiny/history")
        .join(entry);
    let mut read: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    read[field] = value.into();
    fs::write(path, serde_json::to_vec_pretty(&read).unwrap()).unwrap();
}

#[test]
fn a_rollback_that_was_made_a_refusal_puts_no_model_back() {
    let place = place_with_two_versions();
    place.run_tiny(&[&SIGN[..], &["--seed", "9"]].concat());
    let history = place.path("artifacts/registry/models/tiny/history");
    let last = fs::read_to_string(history.join("00000004.json")).unwrap();
    let last: Value = serde_json::from_str(&last).unwrap();
    // Whatever the rules say of the third: what is at stake is which of the others serves.
    if last["action"] == "promoted" {
        let back = ["models", "rollback", "tiny", "--why", "a test"];
        assert_eq!(call(&place, &[&back, &SIGN]).code, 0);
    }
    assert_eq!(call(&place, &[&PREDICT, &TRUST]).code, 0);
    change(&place, "00000003.json", "action", "declined");
    let at = ["models", "history", "tiny", "--at", "2999-01-01"];
    for command in [&PREDICT[..], &["models", "list"], &at] {
        let refused = call(&place, &[command, &TRUST]);
        assert_eq!(refused.code, 65, "{command:?}: {}", refused.out);
        let said = "is not the one that entry 4 was written behind";
        assert!(refused.err.contains(said), "{}", refused.err);
    }
    let told = call(&place, &[&["models", "history", "tiny"], &TRUST]);
    let marked = told
        .out
        .lines()
        .filter(|l| l.contains("written behind another"));
    assert_eq!(marked.count(), 1, "{}", told.out);
    let verified = call(&place, &[&["models", "verify"]]);
    assert_eq!(verified.code, 65, "{}", verified.out);
}

#[test]
fn a_forged_entry_that_was_disowned_bans_no_bundle_and_a_withdrawal_does() {
    let place = place_with_keys();
    place.run_tiny(&SIGN);
    // As somebody could who knows what the next run makes.
    place.run_tiny(&["--seed", "8"]);
    let on_entry = ["models", "disown", "tiny", "--why", "forged"];
    let disowned = call(&place, &[&on_entry, &["--entry", "2"], &SIGN, &TRUST]);
    assert_eq!(disowned.code, 0, "{}", disowned.err);
    let train = || place.run_tiny(&[&SIGN[..], &TRUST, &["--seed", "8"]].concat());
    let honest = train();
    assert_eq!(honest["version"], 2, "{honest}");
    let verified = call(&place, &[&["models", "verify"], &TRUST]);
    assert_eq!(verified.code, 0, "{}", verified.err);
    let loaded = call(&place, &[&PREDICT, &TRUST]);
    assert_eq!(loaded.code, 0, "{}", loaded.err);
    let withdraw = ["models", "withdraw", "tiny", "--why", "bad"];
    if honest["verdict"]["promoted"] == true {
        let back = ["models", "rollback", "tiny", "--why", "a test"];
        assert_eq!(call(&place, &[&back, &SIGN, &TRUST]).code, 0);
    }
    let withdrawn = call(&place, &[&withdraw, &["--version", "2"], &SIGN, &TRUST]);
    assert_eq!(withdrawn.code, 0, "{}", withdrawn.err);
    let again = train();
    assert_eq!(again["version"], Value::Null, "{again}");
    let reasons = again["verdict"]["reasons"].to_string();
    assert!(reasons.contains("does not come back"), "{reasons}");
}

#[test]
fn a_version_of_which_all_is_disowned_can_be_withdrawn_for_good() {
    let place = place_with_keys();
    place.run_tiny(&SIGN);
    place.run_tiny(&["--seed", "8"]);
    for (command, of) in [("disown", "--entry"), ("withdraw", "--version")] {
        let taken = ["models", command, "tiny", "--why", "bad", of, "2"];
        let taken = call(&place, &[&taken, &SIGN, &TRUST]);
        assert_eq!(taken.code, 0, "{}", taken.err);
    }
    let again = place.run_tiny(&[&SIGN[..], &TRUST, &["--seed", "8"]].concat());
    assert_eq!(again["version"], Value::Null, "{again}");
}
