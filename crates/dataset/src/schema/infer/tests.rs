use super::*;
use crate::TextColumn;

/// A batch of comma-separated text whose first line names the columns; `-` is an absent cell.
fn batch(text: &str) -> RawBatch {
    let mut lines = text.lines().map(|l| l.split(',').collect::<Vec<_>>());
    let names: Vec<String> = lines
        .next()
        .unwrap()
        .into_iter()
        .map(str::to_owned)
        .collect();
    let rows: Vec<_> = lines.collect();
    let column = |i: usize| {
        let cells: TextColumn = rows.iter().map(|r| (r[i] != "-").then_some(r[i])).collect();
        RawColumn::Text(cells)
    };
    RawBatch {
        columns: (0..names.len()).map(column).collect(),
        row_numbers: (1..=rows.len() as u64).collect(),
        names,
        defects: Vec::new(),
        ..RawBatch::default()
    }
}

fn infer(batches: &[RawBatch], target: Option<&str>) -> Result<Schema, SchemaError> {
    draft(batches, target, &[]).map(|draft| draft.schema)
}

fn draft(
    batches: &[RawBatch],
    target: Option<&str>,
    threats: &[String],
) -> Result<Draft, SchemaError> {
    let mut inference = Inference::new(["", "?"].map(str::to_owned));
    batches.iter().for_each(|b| inference.observe(b));
    let draft = inference.finish("sample", target, threats)?;
    let schema = &draft.schema;
    let text = yaml::to_text(&schema).unwrap();
    assert_eq!(Schema::parse(&text, "test").unwrap(), *schema, "{text}");
    Ok(draft)
}

/// The first column of a file with these cells and a target.
fn column(cells: impl IntoIterator<Item = String>) -> Column {
    let rows = cells
        .into_iter()
        .enumerate()
        .map(|(i, c)| format!("\n{c},1,{}", i % 2));
    let text = format!("x,y,label{}", rows.collect::<String>());
    infer(&[batch(&text)], None).unwrap().columns.remove(0)
}

fn check(cells: &str, kind: ColumnType, domain: &str) -> Column {
    let found = column(cells.split(' ').map(str::to_owned));
    assert_eq!(
        (found.kind, found.domain.to_string().as_str()),
        (kind, domain),
        "{cells}"
    );
    found
}

#[test]
fn types_and_domains_follow_the_cells() {
    check("1 -1 0 1", ColumnType::Integer, "one of -1, 0, 1");
    check("1.0 2", ColumnType::Integer, "one of 1, 2");
    check("0.5 2 7", ColumnType::Number, "between 0.5 and 7");
    check("tcp udp 7", ColumnType::Text, "one of 7, tcp, udp");
    check("yes No yes", ColumnType::Boolean, "any value");
    check("TRUE false", ColumnType::Boolean, "any value");
    check("0.5 Infinity 2", ColumnType::Number, "between 0.5 and 2");
    let many: Vec<String> = (0..30).map(|i| i.to_string()).collect();
    check(&many.join(" "), ColumnType::Integer, "between 0 and 29");
}

#[test]
fn missing_cells_are_noticed_and_have_no_type() {
    assert!(check("1 ? 2", ColumnType::Integer, "one of 1, 2").may_be_missing);
    assert!(check("1 - 2", ColumnType::Integer, "one of 1, 2").may_be_missing);
    assert!(!check("1 2", ColumnType::Integer, "one of 1, 2").may_be_missing);
    let empty = check("? ?", ColumnType::Number, "any value");
    assert!(empty.may_be_missing && empty.description.contains("no value was seen"));
}

#[test]
fn a_column_that_some_batches_leave_out_may_be_missing() {
    let batches = [batch("a,label\n1,0\n2,1"), batch("a,b,label\n3,4,0")];
    let schema = infer(&batches, None).unwrap();
    assert!(!schema.column("a").unwrap().may_be_missing);
    assert!(schema.column("b").unwrap().may_be_missing);
}

#[test]
fn numbers_are_read_from_columns_of_numbers_too() {
    let mut raw = batch("a,label\n1,0\n2,1");
    raw.columns[0] = RawColumn::Number(vec![1.5, f64::NAN]);
    raw.columns[1] = RawColumn::Number(vec![0.0, 1.0]);
    let schema = infer(&[raw], None).unwrap();
    assert_eq!(schema.columns[0].kind, ColumnType::Number);
    assert!(schema.columns[0].may_be_missing);
    assert_eq!(schema.target.threats["threat"], ["1"]);
}

#[test]
fn texts_that_nearly_all_differ_are_not_to_be_used() {
    let identifier = column((0..5000).map(|i| format!("id{i}")));
    assert!(identifier.never_use && identifier.domain == Domain::Any);
    let many = column((0..5000).map(|i| format!("agent{}", i % 300)));
    assert!(!many.never_use && many.domain == Domain::Any);
    assert!(many.description.contains("REVIEW"));
    let few = column((0..5000).map(|i| format!("proto{}", i % 100)));
    assert_eq!(few.levels().unwrap().len(), 100);
}

#[test]
fn memory_does_not_grow_with_the_rows() {
    let mut inference = Inference::new([]);
    for chunk in 0..20 {
        let cells = (0..1000)
            .map(|i| format!("\n{}", chunk * 1000 + i))
            .collect::<String>();
        inference.observe(&batch(&format!("a{cells}")));
    }
    inference.observe(&batch(&format!("b\n{}", "long".repeat(100))));
    assert!(inference.columns.iter().all(|c| c.distinct.is_empty()));
    assert_eq!(inference.columns[0].kind(), ColumnType::Integer);
}

#[test]
fn the_target_is_named_or_known_by_its_name_or_the_last() {
    let target = |header: &str, named: Option<&str>| {
        let text = format!("{header}\n0,1,0\n1,0,1");
        infer(&[batch(&text)], named).map(|s| s.target.column)
    };
    assert_eq!(target("a,b,c", Some("b")).unwrap(), "b");
    assert_eq!(target("Result,b,c", None).unwrap(), "Result");
    assert_eq!(target("class,b,Label", None).unwrap(), "Label");
    assert_eq!(target("a,b,c", None).unwrap(), "c");
    let error = target("Result,b,c", Some("Resullt"))
        .unwrap_err()
        .to_string();
    assert!(error.contains("did you mean `Result`"), "{error}");
    assert!(infer(&[], None).is_err());
}

#[track_caller]
fn check_target(values: &str, benign: &str, threats: &str) {
    let rows = values
        .split(' ')
        .enumerate()
        .map(|(i, v)| format!("\n{i},{v}"));
    let schema = infer(
        &[batch(&format!("x,label{}", rows.collect::<String>()))],
        None,
    );
    let schema = schema.unwrap();
    let written = |map: &std::collections::BTreeMap<String, Vec<String>>| {
        let sides = map
            .iter()
            .map(|(name, values)| format!("{name}={}", values.join("+")));
        sides.collect::<Vec<_>>().join(" ")
    };
    let found = (
        written(&schema.target.benign),
        written(&schema.target.threats),
    );
    assert_eq!(
        (found.0.as_str(), found.1.as_str()),
        (benign, threats),
        "{values}"
    );
    assert!(
        schema.description.contains("REVIEW"),
        "{}",
        schema.description
    );
}

#[test]
fn benign_is_what_is_called_so_or_the_first_until_somebody_says() {
    check_target(
        "normal smurf nmap",
        "normal=normal",
        "nmap=nmap smurf=smurf",
    );
    check_target("BENIGN DDoS", "BENIGN=BENIGN", "DDoS=DDoS");
    check_target("good safe bad", "benign=good+safe", "bad=bad");
    check_target("0 1", "benign=0", "threat=1");
    check_target("-1 1", "benign=-1", "threat=1");
    check_target("0 1 2", "benign=0", "threat_1=1 threat_2=2");
    check_target("b a", "a=a", "b=b");
    check_target("true false", "false=false", "true=true");
}

#[test]
fn a_target_without_two_sides_is_refused() {
    let refused = |values: &str| {
        let rows = values
            .split(' ')
            .map(|v| format!("\n1,{v}"))
            .collect::<String>();
        infer(&[batch(&format!("x,label{rows}"))], None)
            .unwrap_err()
            .to_string()
    };
    assert!(refused("a a").contains("1 distinct"), "{}", refused("a a"));
    assert!(refused("good safe").contains("means harmless"));
    let many: Vec<String> = (0..1500).map(|i| i.to_string()).collect();
    assert!(refused(&many.join(" ")).contains("name another"));
}

/// Names threats of a target with these values, and returns what the file says of the target.
fn named(values: &str, threats: &[&str]) -> Result<String, String> {
    let rows = values.split(' ').map(|v| format!("\n1,{v}"));
    let text = format!("x,label{}", rows.collect::<String>());
    let threats: Vec<String> = threats.iter().map(|t| (*t).to_owned()).collect();
    let draft = draft(&[batch(&text)], None, &threats).map_err(|e| e.to_string())?;
    let yaml = draft.to_yaml().unwrap();
    let parsed = Schema::parse(&yaml, "draft").map_err(|e| e.to_string());
    assert_eq!(parsed.is_ok(), draft.threat_is_known, "{yaml}");
    parsed.map(|schema| {
        let TargetSpec {
            benign, threats, ..
        } = schema.target;
        format!("{benign:?} {threats:?}")
    })
}

#[test]
fn named_threats_make_the_file_usable() {
    let of = |values, threats: &[&str]| named(values, threats).unwrap();
    assert_eq!(of("0 1", &["0"]), r#"{"benign": ["1"]} {"threat": ["0"]}"#);
    assert_eq!(
        of("a b c", &["b", "c"]),
        r#"{"a": ["a"]} {"b": ["b"], "c": ["c"]}"#
    );
    assert!(of("normal smurf", &[]).contains("normal"));
}

#[test]
fn unknown_threats_are_asked_for_in_the_file() {
    for values in ["0 1", "-1 1", "a b"] {
        let error = named(values, &[]).unwrap_err();
        assert!(
            error.contains("list the harmless values of column `label`"),
            "{error}"
        );
    }
    assert!(named("0 1", &["2"]).unwrap_err().contains("there are 0, 1"));
    assert!(
        named("0 1", &["0", "1"])
            .unwrap_err()
            .contains("every value")
    );
}

#[test]
fn a_file_holds_whatever_names_and_texts_there_are() {
    let text = "a: b,#c, yes,no: {x},label\n1,- x,true,*a,normal\n2.5,\"q\",no,&b,dos";
    let draft = draft(&[batch(text)], None, &[]).unwrap();
    assert_eq!(
        Schema::parse(&draft.to_yaml().unwrap(), "draft").unwrap(),
        draft.schema
    );
}
