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
