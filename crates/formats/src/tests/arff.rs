use super::*;

fn arff(text: &str) -> String {
    check(text.as_bytes(), &FileFormat::Arff)
}

#[test]
fn names_come_from_the_header_and_question_marks_are_absent() {
    assert_eq!(
        arff(
            "% made by hand\n@RELATION 'a b'\n\n@attribute a { -1,1 }\n@ATTRIBUTE 'b c' numeric\n@attribute d{x,y}\n\
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
            "line 1: `@attribute` names no attribute",
        ),
        ("@attribute a numeric\n@data\n% c\n {0 1}\n", "sparse"),
    ] {
        assert!(arff(text).contains(reason), "{reason} in {}", arff(text));
    }
}
