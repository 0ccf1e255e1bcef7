use super::*;

fn schema(levels: &str, more: &str) -> Schema {
    let text = format!(
        "name: sample
columns:
  - {{name: size, type: number}}
  - {{name: service, type: text, levels: {levels}{more}}}
target: {{column: label, benign: {{normal: [normal]}}, threats: {{dos: [smurf]}}}}
"
    );
    Schema::parse(&text, "test").unwrap()
}

/// Recodes the services dns, http and (where it is accepted) an unknown one.
fn check(to: &Schema, codes: &[f64]) -> Result<Vec<f64>, String> {
    let from = schema("[dns, http]", ", unknown_levels: accept");
    let column = |name: &str, values: &[f64]| TableColumn {
        name: name.to_owned(),
        values: values.to_vec(),
    };
    let sizes = vec![0.5; codes.len()];
    let table = Table::new(
        codes.len(),
        vec![column("size", &sizes), column("service", codes)],
    );
    let recoded = recode(&table, &from, to)?;
    assert_eq!(recoded.columns()[0].values, sizes);
    Ok(recoded.columns()[1].values.clone())
}

#[test]
fn the_champion_reads_texts_by_its_own_levels() {
    let wider = schema(
        "[aol, dns, ftp, http]",
        ", unknown_levels: accept, may_be_missing: true",
    );
    let recoded = check(&wider, &[0.0, 1.0, 2.0, f64::NAN]).unwrap();
    assert_eq!(recoded[..3], [1.0, 3.0, 4.0]);
    assert!(recoded[3].is_nan());
    let narrower = schema("[http]", ", unknown_levels: accept");
    assert_eq!(check(&narrower, &[0.0, 1.0]).unwrap(), [1.0, 0.0]);
}

#[test]
fn what_the_champion_does_not_take_is_named() {
    let closed = schema("[http]", "");
    assert!(
        check(&closed, &[1.0])
            .unwrap_err()
            .contains("`dns` in `service`")
    );
    let same = schema("[dns, http]", "");
    assert!(check(&same, &[f64::NAN]).unwrap_err().contains("missing"));
}
