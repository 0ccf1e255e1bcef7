use super::*;
use crate::Label;

const MINIMAL: &str = "
name: sample
columns:
  - {name: size, type: number, min: 0}
  - {name: proto, type: text, levels: [tcp, udp]}
  - {name: flag, type: integer, values: [-1, 1]}
target:
  column: label
  benign: {normal: [normal]}
  threats: {dos: [smurf, neptune], probe: [nmap]}
";

fn check(edit: impl Fn(&str) -> String) -> String {
    match Schema::parse(&edit(MINIMAL), "test") {
        Ok(_) => "accepted".to_owned(),
        Err(e) => e.to_string(),
    }
}

#[test]
fn a_minimal_schema_is_accepted_and_survives_its_own_yaml() {
    let schema = Schema::parse(MINIMAL, "test").unwrap();
    let again = Schema::parse(&yaml::to_text(&schema).unwrap(), "test").unwrap();
    assert_eq!(schema, again);
}

#[test]
fn domains_may_be_listed_in_any_order() {
    let schema = Schema::parse(MINIMAL, "test").unwrap();
    let text = MINIMAL
        .replace("[tcp, udp]", "[udp, tcp]")
        .replace("[-1, 1]", "[1, -1]");
    assert_eq!(Schema::parse(&text, "test").unwrap(), schema);
}

#[test]
fn an_unknown_key_is_named_with_the_nearest_known_one() {
    let message = check(|text| text.replace("columns:", "colums:"));
    assert!(message.contains("did you mean `columns`"), "{message}");
}

#[test]
fn contradictions_are_refused() {
    assert!(check(|t| t.replace("[-1, 1]", "[1, -1, 1]")).contains("lists 1 twice"));
    assert!(check(|t| t.replace("[-1, 1]", "[1, .nan]")).contains("not finite"));
    assert!(check(|t| t.replace("[tcp, udp]", "[udp, tcp, udp]")).contains("lists `udp` twice"));
    assert!(check(|t| t.replace("name: proto", "name: size")).contains("named twice"));
    assert!(check(|t| t.replace("[nmap]", "[nmap, smurf]")).contains("listed twice"));
    assert!(check(|t| t.replace("{normal: [normal]}", "{}")).contains("exactly one"));
    assert!(check(|t| t.replace("name: sample", "name: ../x")).contains("name"));
}

/// The sample with another first column.
fn column(declared: &str) -> String {
    check(|text| text.replace("{name: size, type: number, min: 0}", declared))
}

#[test]
fn every_type_refuses_the_domains_that_it_cannot_have_or_reach() {
    for (declared, word) in [
        (
            "{name: c, type: integer, values: [1.5, 2]}",
            "`1.5` is not a whole number",
        ),
        (
            "{name: c, type: integer, min: 1.2, max: 1.8}",
            "no whole number",
        ),
        ("{name: c, type: integer, levels: [a]}", "only text takes"),
        (
            "{name: c, type: integer, unknown_levels: accept}",
            "only text takes",
        ),
        (
            "{name: c, type: number, values: [-0.0, 0]}",
            "lists 0 twice",
        ),
        (
            "{name: c, type: number, unknown_levels: accept}",
            "only text takes",
        ),
        (
            "{name: c, type: boolean, values: [0, 2]}",
            "`2` is not true or false",
        ),
        (
            "{name: c, type: boolean, min: 0}",
            "leave `min` and `max` out",
        ),
        (
            "{name: c, type: boolean, max: 1}",
            "leave `min` and `max` out",
        ),
        ("{name: c, type: boolean, levels: [a]}", "only text takes"),
        (
            "{name: c, type: boolean, unknown_levels: accept}",
            "only text takes",
        ),
        ("{name: c, type: text, values: [1]}", "text takes `levels`"),
        ("{name: c, type: text, min: 0}", "text takes `levels`"),
        ("{name: c, type: text, levels: []}", "empty"),
        (
            "{name: c, type: text, levels: [a, ' a']}",
            "no cell is \" a\"",
        ),
        (
            "{name: c, type: text, levels: [a, 'NA']}",
            "`missing_tokens`",
        ),
        ("{name: c, type: text, levels: [a, '']}", "`missing_tokens`"),
    ] {
        let message = column(declared);
        assert!(message.contains(word), "{declared}: {message}");
    }
    for declared in [
        "{name: c, type: integer, values: [2, -1]}",
        "{name: c, type: integer, min: 0.5}",
        "{name: c, type: number, values: [0.5]}",
        "{name: c, type: number, min: 0.2, max: 0.8}",
        "{name: c, type: boolean}",
        "{name: c, type: boolean, values: [0, 1]}",
        "{name: c, type: text}",
        "{name: c, type: text, unknown_levels: accept}",
    ] {
        assert_eq!(column(declared), "accepted", "{declared}");
    }
}

#[test]
fn a_number_that_means_no_value_is_none_that_a_domain_lists() {
    let tokens = |tokens: &str| check(|text| format!("missing_tokens: {tokens}\n{text}"));
    assert!(tokens("['-1']").contains("lists `-1`, which `missing_tokens`"));
    assert!(tokens("[' NA']").contains("no cell is \" NA\""));
    assert_eq!(tokens("['-9']"), "accepted");
}

#[test]
fn values_of_the_target_that_no_cell_can_hold_are_refused() {
    let with_column = |declared: &str| {
        check(|text| {
            text.replace(
                "target:",
                &format!("  - {{name: label, {declared}}}\ntarget:"),
            )
        })
    };
    for (message, word) in [
        (
            check(|t| t.replace("[nmap]", "[' nmap']")),
            "no cell is \" nmap\"",
        ),
        (check(|t| t.replace("[nmap]", "['NA']")), "`missing_tokens`"),
        (
            check(|t| t.replace("column: label", "column: ''")),
            "target: column",
        ),
        (check(|t| t.replace("normal:", "' ':")), "label \" \""),
        (
            check(|t| format!("{t}derived: [{{name: label, log1p: size}}]")),
            "like the target",
        ),
        (
            check(|t| format!("{t}file: {{delimiter: 'a'}}")),
            "delimiter 'a'",
        ),
        (
            with_column("type: text, levels: [normal, smurf, nmap]"),
            "`neptune` lies outside",
        ),
        (
            with_column("type: integer, min: 0"),
            "`normal` lies outside",
        ),
    ] {
        assert!(message.contains(word), "{message}");
    }
    assert_eq!(with_column("type: text"), "accepted");
}

#[test]
fn a_boolean_target_is_compared_by_what_its_texts_are_read_as() {
    let target = |values: &str, ok: &str| {
        check(|text| {
            let column = format!("  - {{name: label, type: boolean{values}}}\ntarget:");
            text.replace("target:", &column)
                .replace("[normal]", &format!("[{ok}]"))
                .replace("{dos: [smurf, neptune], probe: [nmap]}", "{bad: ['True']}")
        })
    };
    assert_eq!(target(", values: [0, 1]", "'false', 'no', '0'"), "accepted");
    assert_eq!(target("", "'false'"), "accepted");
    let message = target(", values: [1]", "'false'");
    assert!(message.contains("`false` lies outside"), "{message}");
    let message = target(", values: [0, 1]", "'2'");
    assert!(message.contains("`2` lies outside"), "{message}");
}

#[test]
fn what_a_former_program_accepted_is_read_from_its_artifacts_and_refused_in_a_new_file() {
    #[derive(serde::Serialize, serde::Deserialize)]
    struct Kept(#[serde(with = "as_yaml")] Schema);
    for (from, to) in [
        ("name: size, type: number", "name: size, type: boolean"),
        (
            "type: number, min: 0",
            "type: number, unknown_levels: accept",
        ),
        ("type: number, min: 0", "type: integer, min: 1.2, max: 1.8"),
        ("[-1, 1]", "[-1, 1.5]"),
        ("[tcp, udp]", "[' tcp', udp]"),
        ("[tcp, udp]", "[NA, udp]"),
        ("columns:", "missing_tokens: [' NA']\ncolumns:"),
        ("columns:", "file: {delimiter: 'a'}\ncolumns:"),
        ("[nmap]", "[' nmap']"),
        ("{normal:", "{'':"),
        ("target:", "derived: [{name: label, log1p: size}]\ntarget:"),
    ] {
        let text = MINIMAL.replace(from, to);
        assert_ne!(text, MINIMAL);
        assert!(Schema::parse(&text, "test").is_err(), "{to}");
        let json = serde_json::to_string(&text).unwrap();
        let kept: Kept = serde_json::from_str(&json).unwrap();
        let again = serde_json::to_string(&kept).unwrap();
        assert!(serde_json::from_str::<Kept>(&again).is_ok(), "{to}");
    }
    let broken = serde_json::to_string(&MINIMAL.replace("[-1, 1]", "[.nan]")).unwrap();
    assert!(serde_json::from_str::<Kept>(&broken).is_err());
}

#[test]
fn families_are_kept_aside_unless_they_are_asked_for() {
    let mut schema = Schema::parse(MINIMAL, "test").unwrap();
    let names = |schema: &Schema| {
        schema
            .target
            .class_names()
            .iter()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    assert_eq!(names(&schema), ["normal", "threat"]);
    assert_eq!(schema.target.label_of("nmap"), Some(Label::threat(0)));
    schema.target.classes = ClassMode::Families;
    assert_eq!(names(&schema), ["normal", "dos", "probe"]);
    assert_eq!(schema.target.label_of("nmap"), Some(Label::threat(1)));
    assert_eq!(schema.target.label_of("unheard"), None);
}

#[test]
fn unknown_levels_are_refused_or_take_the_code_after_the_last() {
    let mut schema = Schema::parse(MINIMAL, "test").unwrap();
    let proto = &mut schema.columns[1];
    assert_eq!(proto.level_code("udp"), Some(1.0));
    assert_eq!(proto.level_code("icmp"), None);
    proto.unknown_levels = UnknownLevels::Accept;
    assert_eq!(proto.level_code("icmp"), Some(2.0));
}

const PAGE: &str = include_str!("../../../../docs/schema.md");

/// Returns the YAML pieces of the page that documents schemas, one after another.
fn documented() -> String {
    let pieces = PAGE.split("```yaml\n").skip(1);
    pieces
        .filter_map(|piece| piece.split("```").next())
        .collect()
}

/// Returns the fields or variants that a type knows, from what it says of one that it does not.
fn known<T: serde::de::DeserializeOwned>(unknown: serde_json::Value) -> Vec<String> {
    let Err(error) = serde_json::from_value::<T>(unknown) else {
        panic!("it takes what nothing takes");
    };
    let message = error.to_string();
    let (_, expected) = message.split_once("expected").unwrap();
    let names = expected.split('`').skip(1).step_by(2);
    names.map(str::to_owned).collect()
}

#[test]
fn the_documented_schema_is_one() {
    let schema = Schema::parse(&documented(), "docs/schema.md").unwrap();
    assert_eq!(schema.missing_tokens, default_missing_tokens());
    assert_eq!(schema.derived.len(), 5);
}

#[test]
fn every_key_of_a_schema_is_documented_with_an_example() {
    let unknown = || serde_json::json!({"none such": 0});
    let keys = [
        known::<Schema>(unknown()),
        known::<FileLayout>(unknown()),
        known::<Column>(unknown()),
        known::<TargetSpec>(unknown()),
        known::<DerivedColumn>(unknown()),
        known::<crate::derived::Bins>(unknown()),
        known::<Quality>(unknown()),
        known::<PromotionMinima>(unknown()),
    ];
    let example = documented();
    let keys: Vec<String> = keys.into_iter().flatten().collect();
    assert!(keys.len() > 35, "{keys:?}");
    for key in keys {
        assert!(
            PAGE.contains(&format!("`{key}")),
            "`{key}` is not explained"
        );
        let is_used = |start: &str| example.contains(&format!("{start}{key}:"));
        assert!(
            ["\n", "{", " "].into_iter().any(is_used),
            "`{key}` has no example"
        );
    }
}

#[test]
fn every_word_that_a_schema_may_use_is_documented() {
    let unknown = || serde_json::json!("none such");
    let words = [
        known::<ColumnType>(unknown()),
        known::<UnknownLevels>(unknown()),
        known::<ClassMode>(unknown()),
    ];
    for word in words.into_iter().flatten() {
        assert!(
            PAGE.contains(&format!("`{word}`")),
            "`{word}` is not explained"
        );
    }
}
