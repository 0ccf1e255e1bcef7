use super::*;

#[test]
fn the_ending_of_a_key_says_what_is_written_to_it() {
    for (key, expected, kind) in [
        ("a/b.csv", "csv", "text/csv"),
        ("a.b/c.CSV.GZ", "CSV.GZ", "application/gzip"),
        ("a.b/c", "", "application/octet-stream"),
        ("c.x.parquet", "parquet", "application/vnd.apache.parquet"),
        (".gz", "", "application/octet-stream"),
    ] {
        assert_eq!((ending(key), content_type(key)), (expected, kind), "{key}");
    }
}
