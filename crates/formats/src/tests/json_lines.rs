use super::*;

fn lines(text: &str) -> String {
    check(text.as_bytes(), &FileFormat::JsonLines)
}

#[test]
fn columns_are_numbers_only_when_every_cell_is_one_or_null() {
    assert_eq!(
        lines(
            "{\"a\":1,\"b\":2,\"c\":true}\n\n{\"a\":null,\"b\":\"x\",\"c\":false}\r\n{\"b\":-1.5}"
        ),
        "a# b$ c$ \n1: 1.0 \"2\" \"true\"\n2: ~ \"x\" \"false\"\n3: ~ \"-1.5\" ~\n"
    );
}

#[test]
fn fields_may_come_late_and_in_any_order() {
    assert_eq!(
        lines("{\"a\":1,\"b\":2}\n{\"c\":3,\"b\":4,\"a\":5}\n"),
        "a# b# c# \n1: 1.0 2.0 ~\n2: 5.0 4.0 3.0\n"
    );
}

#[test]
fn nested_objects_become_dotted_names() {
    assert_eq!(
        lines("{\"a\":{\"b\":1,\"c\":{\"d\":\"x\"}},\"e\":2}\n"),
        "a.b# a.c.d$ e# \n1: 1.0 \"x\" 2.0\n"
    );
}

#[test]
fn lines_that_cannot_be_taken_apart_are_defects_with_their_reason() {
    let shown = lines(
        "{\"a\":1}\n{\"a\":[1]}\n[1]\n{\"a\":1\n{\"a\":1,\"a\":2}\n{\"a\":{\"b\":1},\"a.b\":2}\n{\"a\":1}x\n",
    );
    for reason in [
        "2: ~ ! field `a` holds an array",
        "3: ~ ! invalid type: sequence, expected a JSON object",
        "4: ~ ! EOF while parsing an object",
        "5: ~ ! a field is named twice",
        "6: ~ ! a field is named twice",
        "7: ~ ! trailing characters",
    ] {
        assert!(shown.contains(reason), "{reason} in {shown}");
    }
    assert!(
        shown.starts_with("a# \n1: 1.0\n"),
        "defects bring no columns: {shown}"
    );
    assert!(check(b"{\"a\":\"\xff\"}", &FileFormat::JsonLines).contains("! not UTF-8"));
}

#[test]
fn numbers_that_no_double_holds_stay_as_they_are_written() {
    assert_eq!(
        lines("{\"a\":1e999,\"b\":{\"c\":-1e999},\"d\":true,\"e\":\"t\"}\n"),
        "a$ b.c$ d$ e$ \n1: \"1e999\" \"-1e999\" \"true\" \"t\"\n"
    );
    assert_eq!(
        lines("{\"a\":9007199254740993}\n"),
        "a$ \n1: \"9007199254740993\"\n"
    );
    assert_eq!(lines("{\"a\":1e308}\n"), "a# \n1: 1e308\n");
}

#[test]
fn objects_that_lie_too_deep_are_defects_and_not_a_crash() {
    for head in ["", "\"x\":1e999,"] {
        let deep = format!(
            "{{{head}{}1{}}}\n",
            "\"a\":{".repeat(100_000) + "\"a\":",
            "}".repeat(100_000)
        );
        let shown = lines(&deep);
        assert!(shown.contains("1: !"), "{}", &shown[..100.min(shown.len())]);
    }
}

#[test]
fn a_decimal_reads_as_the_nearest_double() {
    let text = "0.30000000000000004";
    assert_eq!(
        lines(&format!("{{\"a\":{text}}}")),
        format!("a# \n1: {text}\n")
    );
    let hard = "8.98846567431158e307";
    let expected: f64 = hard.parse().unwrap();
    assert_eq!(
        lines(&format!("{{\"a\":{hard}}}")),
        format!("a# \n1: {expected:?}\n")
    );
}
