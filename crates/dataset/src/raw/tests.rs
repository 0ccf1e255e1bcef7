use super::*;

#[test]
fn absent_cells_stay_apart_from_empty_ones() {
    let column: TextColumn = [Some("a"), None, Some(""), Some("bc")]
        .into_iter()
        .collect();
    let cells: Vec<_> = column.iter().collect();
    assert_eq!(cells, [Some("a"), None, Some(""), Some("bc")]);
    assert_eq!(column.n_bytes(), 3);
}

#[test]
fn numbers_are_written_as_every_source_would() {
    for (number, written) in [
        (-1.0, "-1"),
        (0.5, "0.5"),
        (-0.0, "0"),
        (12.0, "12"),
        (1e20, "100000000000000000000"),
        (-1e300, "-1e300"),
        (f64::MIN_POSITIVE, "2.2250738585072014e-308"),
        (0.000_001, "0.000001"),
    ] {
        assert_eq!(format_number(number), written);
        assert_eq!(written.parse::<f64>().unwrap(), number);
    }
}

#[test]
fn a_name_is_prefixed_until_it_is_free() {
    let free = |taken: &[&str]| free_name("label", "x_", |name| taken.contains(&name));
    assert_eq!(free(&["x_label"]), "label");
    assert_eq!(free(&["label"]), "x_label");
    assert_eq!(free(&["x_label", "label"]), "x_x_label");
}
