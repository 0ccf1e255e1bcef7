use crate::support::{SMALL, Workplace, small_csv};

/// Runs on a file of this content and returns exit code and message.
fn check(name: &str, content: impl AsRef<[u8]>) -> (i32, String) {
    let place = Workplace::new();
    let source = place.write(name, content);
    let called = place.call(&[&["run", "--source", &source], &SMALL[..]].concat());
    (called.code, called.err)
}

fn refused(name: &str, content: impl AsRef<[u8]>, word: &str) {
    let (code, message) = check(name, content);
    assert_eq!(code, 65, "{message}");
    assert!(message.contains(word), "{message}");
}

#[test]
fn data_that_cannot_be_learned_from_is_refused_with_its_reason() {
    let good = small_csv(400);
    let header = good.lines().next().unwrap();
    let benign: String = good
        .lines()
        .filter(|l| !l.ends_with(",-1"))
        .map(|l| format!("{l}\n"))
        .collect();
    refused("header.csv", format!("{header}\n"), "no rows");
    refused("one_class.csv", benign, "both classes");
    refused(
        "no_label.csv",
        good.replacen("Result", "Outcome", 1),
        "missing: Result",
    );
    refused(
        "twice.csv",
        good.replacen("Redirect", "having_IP_Address", 1),
        "named twice",
    );
    refused(
        "inf.csv",
        good.replace("\n1,", "\ninf,"),
        "is not a whole number",
    );
    refused("nan.csv", good.replace("\n1,", "\nNaN,"), "missing");
    refused(
        "huge.csv",
        good.replace("\n1,", "\n1e308,"),
        "is not one of",
    );
}

#[test]
fn harmless_oddities_of_text_files_are_taken() {
    let good = small_csv(1200);
    for (name, content) in [
        ("bom.csv", format!("\u{feff}{good}")),
        ("crlf.csv", good.replace('\n', "\r\n")),
        ("quoted.csv", good.replace("\n1,", "\n\" 1 \n\",")),
        ("floats.csv", good.replace("\n1,", "\n1.0,")),
    ] {
        let (code, message) = check(name, content);
        assert_eq!(code, 0, "{name}: {message}");
    }
}

#[test]
fn a_few_bad_rows_are_quarantined_with_their_numbers() {
    let place = Workplace::new();
    let mut csv = small_csv(1200);
    csv += "1,2,3\n";
    let source = place.write("ragged.csv", csv);
    let run = place.run(&["--source", &source]);
    assert_eq!(run["rows"]["quarantined"], 1);
    let file = place
        .path(run["run"].as_str().unwrap())
        .join("02-validation/quarantine.csv");
    let text = std::fs::read_to_string(file).unwrap();
    assert!(text.lines().nth(1).unwrap().starts_with("1201,"), "{text}");
}

#[test]
fn what_is_no_file_and_what_is_no_option_have_their_own_exit_codes() {
    let place = Workplace::new();
    let code = |arguments: &[&str]| place.call(arguments).code;
    assert_eq!(code(&["run", "--source", "missing.csv"]), 69);
    std::fs::create_dir(place.path("folder.csv")).unwrap();
    assert_eq!(code(&["run", "--source", "folder.csv"]), 69);
    assert_eq!(code(&["run", "--source", "gopher://x"]), 64);
    assert_eq!(code(&["run", "--source", "synth://nothing"]), 64);
    assert_eq!(code(&["run", "--no-such-flag"]), 64);
    assert_eq!(code(&["run", "--dataset", "no_such_set"]), 64);
    assert_eq!(code(&["show", "no_such_run"]), 64);
    let unknown = place.call(&["run", "--set", "training.fold=3"]);
    assert_eq!(unknown.code, 78);
    assert!(
        unknown.err.contains("did you mean `folds`"),
        "{}",
        unknown.err
    );
}

#[test]
fn help_is_no_error() {
    let called = Workplace::new().call(&["--help"]);
    assert_eq!(called.code, 0);
    assert!(
        called.out.contains("simulated phishing sample"),
        "{}",
        called.out
    );
}
