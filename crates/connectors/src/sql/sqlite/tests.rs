use super::*;

#[test]
fn semicolons_in_quotes_and_comments_end_no_statement() {
    let check = |query: &str, expected| assert_eq!(is_single(query), expected, "{query}");
    check("SELECT 1", true);
    check("SELECT 1; SELECT 2", false);
    check("SELECT 'a;''b;', \"c;\", `d;`, [e;] -- ; f", true);
    check("SELECT 1 /* ; */ + 2 -- ;\n; SELECT 3", false);
    check("SELECT 'it''s'; DROP TABLE t", false);
    check("SELECT ä, '", true);
}

#[test]
fn a_column_that_makes_numbers_of_texts_does_not_keep_them() {
    use dataset::ColumnType::{Number, Text};

    use crate::sql::dialect::Dialect;

    for (of_type, keeps) in [
        ("", true),
        ("TEXT", true),
        ("varchar(20)", true),
        ("BLOB", true),
        ("STRING", false),
        ("DATE", false),
        ("DECIMAL(10,2)", false),
        ("CHARINT", false),
        ("real", false),
    ] {
        assert_eq!(Dialect::Sqlite.keeps(of_type, Text), keeps, "{of_type}");
        assert!(Dialect::Sqlite.keeps(of_type, Number), "{of_type}");
    }
}
