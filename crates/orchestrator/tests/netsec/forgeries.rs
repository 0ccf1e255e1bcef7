//! What somebody makes of a signed history who may write there, and what those who decide make of that.

use std::{fs, thread};

use serde_json::Value;

use crate::{
    integrity::{PREDICT, SIGN, TRUST, call, files, place_with_keys, place_with_two_versions},
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
        let said = "was written behind another entry 3";
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

#[test]
fn a_history_that_was_changed_is_put_back_or_goes_on_behind_the_last_certain_entry() {
    let place = place_with_two_versions();
    let registry = place.path("artifacts/registry/models/tiny");
    let withdraw = ["models", "withdraw", "tiny", "--version", "2", "--why", "x"];
    assert_eq!(call(&place, &[&withdraw, &SIGN, &TRUST]).code, 0);
    let third = registry.join("history/00000003.json");
    let as_written = fs::read(&third).unwrap();
    change(&place, "00000003.json", "action", "declined");
    let verify = || call(&place, &[&["models", "verify"], &TRUST]);
    let refused = verify();
    assert_eq!(refused.code, 65, "{}", refused.out);
    for words in [
        "move `models/tiny/history/00000003.json`",
        "entry 4 of the history (withdrew",
    ] {
        assert!(refused.err.contains(words), "{}", refused.err);
    }
    let disown = ["models", "disown", "tiny", "--why", "x", "--entry", "3"];
    assert_eq!(call(&place, &[&disown, &SIGN, &TRUST]).code, 65);
    fs::write(&third, as_written).unwrap();
    assert_eq!(verify().code, 0);
    change(&place, "00000003.json", "action", "declined");
    fs::remove_file(&third).unwrap();
    fs::remove_file(registry.join("history/00000004.json")).unwrap();
    for signature in files(&place, "models/tiny/signatures", "sig") {
        let name = signature.file_name().unwrap().to_str().unwrap();
        if ["00000003", "00000004"].iter().any(|n| name.starts_with(n)) {
            fs::remove_file(signature).unwrap();
        }
    }
    let back = ["models", "rollback", "tiny", "--why", "anew"];
    for again in [&back[..], &withdraw] {
        let again = call(&place, &[again, &SIGN, &TRUST]);
        assert_eq!(again.code, 0, "{}", again.err);
    }
    let verified = verify();
    assert_eq!(verified.code, 0, "{}", verified.err);
    assert_eq!(call(&place, &[&PREDICT, &TRUST]).code, 0);
}

#[test]
fn of_many_who_promote_a_version_at_once_one_does_and_the_others_are_told_so() {
    let place = place_with_two_versions();
    let promote = ["models", "promote", "tiny", "--version", "2", "--why", "x"];
    let codes = thread::scope(|scope| {
        let calls = [(); 6].map(|()| scope.spawn(|| call(&place, &[&promote, &SIGN, &TRUST])));
        calls.map(|called| called.join().unwrap())
    });
    let done = codes.iter().filter(|called| called.code == 0);
    assert_eq!(done.count(), 1);
    for other in codes.iter().filter(|called| called.code != 0) {
        assert_eq!(other.code, 64, "{}", other.err);
        assert!(other.err.contains("champion already"), "{}", other.err);
    }
}
