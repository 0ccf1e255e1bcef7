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
