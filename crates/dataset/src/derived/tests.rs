use super::*;

fn check(formula: Formula, rows: &[[f64; 2]]) -> Vec<f64> {
    let column = |name: &str, i: usize| TableColumn {
        name: name.to_owned(),
        values: rows.iter().map(|row| row[i]).collect(),
    };
    compute(
        &formula,
        &Table::new(rows.len(), vec![column("a", 0), column("b", 1)]),
    )
}

fn ab() -> [String; 2] {
    ["a".to_owned(), "b".to_owned()]
}

#[test]
fn a_ratio_over_zero_is_missing_and_not_infinite() {
    let values = check(
        Formula::Ratio(ab()),
        &[[6.0, 3.0], [1.0, 0.0], [f64::NAN, 1.0]],
    );
    assert_eq!(values[0], 2.0);
    assert!(values[1].is_nan() && values[2].is_nan());
}

#[test]
fn log1p_keeps_the_sign() {
    let values = check(
        Formula::Log1p("a".to_owned()),
        &[[0.0, 0.0], [1.0, 0.0], [-1.0, 0.0]],
    );
    assert_eq!(values, [0.0, 2f64.ln(), -(2f64.ln())]);
}

#[test]
fn products_that_overflow_are_missing() {
    let values = check(Formula::Product(ab()), &[[1e308, 10.0], [2.0, 3.0]]);
    assert!(values[0].is_nan());
    assert_eq!(values[1], 6.0);
}

#[test]
fn bins_count_the_edges_that_are_reached() {
    let formula = Formula::Bins(Bins {
        of: "a".to_owned(),
        edges: vec![0.0, 10.0],
    });
    let values = check(
        formula,
        &[
            [-1.0, 0.0],
            [0.0, 0.0],
            [9.9, 0.0],
            [10.0, 0.0],
            [f64::NAN, 0.0],
        ],
    );
    assert_eq!(values[..4], [0.0, 1.0, 1.0, 2.0]);
    assert!(values[4].is_nan());
}
