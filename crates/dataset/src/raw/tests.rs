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
    let written: Vec<String> = [-1.0, 0.5, 1e300, -0.0, 12.0].map(format_number).to_vec();
    assert_eq!(written[0], "-1");
    assert_eq!(written[1], "0.5");
    assert_eq!(written[2].parse::<f64>().unwrap(), 1e300);
    assert_eq!(written[3], "0");
    assert_eq!(written[4], "12");
}

#[test]
fn a_name_is_prefixed_until_it_is_free() {
    let free = |taken: &[&str]| free_name("label", "x_", |name| taken.contains(&name));
    assert_eq!(free(&["x_label"]), "label");
    assert_eq!(free(&["label"]), "x_label");
    assert_eq!(free(&["x_label", "label"]), "x_x_label");
}
