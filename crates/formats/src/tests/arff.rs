use super::*;

fn arff(text: &str) -> String {
    check(text.as_bytes(), &FileFormat::Arff)
}

#[test]
fn names_come_from_the_header_and_question_marks_are_absent() {
    assert_eq!(
        arff(
            "% made by hand\n@RELATION 'a b'\n\n@attribute a { -1,1 }\n@ATTRIBUTE 'b c' numeric\n@attribute d{x,y} % levels\n\
             @data\n% rows\n-1, 2.5,x\r\n?,?,'y, z'\n\n1,3,'it\\'s'\n"
        ),
        "a$ b c$ d$ \n1: \"-1\" \"2.5\" \"x\"\n2: ~ ~ \"y, z\"\n3: \"1\" \"3\" \"it's\"\n"
    );
}

#[test]
fn what_is_no_dense_arff_is_refused() {
    for (text, reason) in [
        ("a,b\n1,2\n", "line 1: `a,b` has no place before `@data`"),
        ("@relation x\n", "no `@data`"),
        (
            "@attribute\n@data\n",
            "line 1: `@attribute` is no attribute",
        ),
        (
            "@attribute a {x, y\n@data\nx\n",
            "line 1: `@attribute a {x, y` is no attribute",
        ),
        ("@attribute a numeric\n@data\n% c\n {0 1}\n", "sparse"),
    ] {
        assert!(arff(text).contains(reason), "{reason} in {}", arff(text));
    }
}

#[test]
fn a_header_that_is_not_text_is_refused_and_shown_in_part() {
    let found = check(
        b"@relation x\n@attribute \xff numeric\n@data\n1\n",
        &FileFormat::Arff,
    );
    assert!(found.contains("line 2: it is not UTF-8"), "{found}");
    let found = arff(&format!("@relation x\n\u{1b}{}\n", "z".repeat(9000)));
    assert!(found.len() < 300 && !found.contains('\u{1b}'), "{found}");
}

#[test]
fn quotes_of_either_kind_hold_texts() {
    let rows =
        "\"a b\",1\n 'c,d' , 2\n\"it's \\\"so\\\"\",3\n'say \"x\"',4\n% \"a comment\ne\"f,5\n";
    let text = format!("@relation x\n@attribute a string\n@attribute b numeric\n@data\n{rows}");
    assert_eq!(
        arff(&text),
        "a$ b$ \n1: \"a b\" \"1\"\n2: \"c,d\" \"2\"\n3: \"it's \\\"so\\\"\" \"3\"\n4: \"say \\\"x\\\"\" \"4\"\n5: \"e\\\"f\" \"5\"\n"
    );
}
