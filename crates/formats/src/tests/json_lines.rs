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
fn where_an_object_stands_is_known_whatever_stands_in_other_rows() {
    let check = |text: &str| objects(text.as_bytes(), &FileFormat::JsonLines, "x");
    let object = "{\"x\":{\"v\":0.7}}\n";
    assert_eq!(check(object), [0]);
    assert_eq!(
        check(&format!("{{\"y\":1}}\n{object}{{\"x\":{{}}}}\n")),
        [1, 2]
    );
    assert_eq!(check(&format!("{object}{{\"x\":null}}\n")), [0]);
    assert_eq!(check("{\"x.v\":0.7}\n{\"x\":1}\n"), [0; 0]);
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
        "{\"a\":1,\"z\":0}\n{\"z\":5,\"a\":[1, 2]}\n[1]\n{\"z\":7,\"a\":1,\"q\":\n{\"z\":8,\"a\":1,\"a\":2}\n\
         {\"a\":{\"b\":1},\"a.b\":2,\"z\":9}\n{\"a\":1}x\n",
    );
    for reason in [
        "2: \"[1, 2]\" 5.0 ~ ! a: an array, not a single value",
        "3: ~ ~ ~ ! invalid type: sequence, expected a JSON object",
        "4: \"1\" 7.0 ~ ! EOF while parsing a value, byte 17\n",
        "5: ~ 8.0 ~ ! a: a field is named twice",
        "6: ~ 9.0 ~ ! a.b: a field is named twice ! a: an object, not a single value",
        "7: \"1\" ~ ~ ! trailing characters, byte 8\n",
    ] {
        assert!(shown.contains(reason), "{reason} in {shown}");
    }
    assert!(
        shown.starts_with("a$ z# a.b# \n1: \"1\" 0.0 ~\n"),
        "broken lines bring no columns: {shown}"
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
    assert_eq!(
        lines("{\"id\":123456789012345678901,\"p\":{\"q\":0.1000000000000000055},\"z\":-0.0}\n"),
        "id$ p.q$ z# \n1: \"123456789012345678901\" \"0.1000000000000000055\" -0.0\n"
    );
    assert_eq!(
        lines("{\"a\":100000000000000000000,\"b\":0.10000000000000000000}\n"),
        "a# b# \n1: 1e20 0.1\n"
    );
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
