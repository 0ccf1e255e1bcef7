use super::*;

const SMALL: &str = "
schema: sample
target: label
smoothing: 1.0
min_support: 10
columns:
- name: size
  numbers: 0 1..37 38..511
- name: proto
  texts: [tcp, udp]
  missing: true
conflicts:
  minority_rows: 0
  repeats: ''
  components: []
pools:
- class: benign
  values: {normal: 90}
  repeats: 1:50 2:20
  components:
  - rows: 90
    links:
    - size = 500 _1 500
    - proto <- size = 900 100 | 1000 | | 0 800 200
- class: attack
  values: {smurf: 60, spy: 2}
  repeats: 1:62
  components:
  - rows: 62
    links:
    - proto = 1 1
    - size <- proto = 1 2 3 | | |
";

fn check(edit: impl Fn(&str) -> String) -> String {
    match Recipe::parse(&edit(SMALL), "test") {
        Ok(_) => "accepted".to_owned(),
        Err(e) => e.to_string(),
    }
}

#[test]
fn a_recipe_survives_its_own_yaml() {
    let recipe = Recipe::parse(SMALL, "test").unwrap();
    let again = Recipe::parse(&recipe.to_yaml().unwrap(), "test").unwrap();
    assert_eq!(recipe, again);
    assert_eq!(recipe.n_rows(), 152);
}

#[test]
fn a_contradiction_is_refused_with_its_place() {
    let cases = [
        (
            "proto <- size = 900",
            "port <- size = 900",
            "`port`: is not a column",
        ),
        (
            "size = 500 _1 500",
            "size <- proto = 500 | | |",
            "does not stand before it",
        ),
        (
            "| 1000 | | 0 800 200",
            "| 1000 |",
            "2 distributions for 3 levels",
        ),
        (
            "proto = 1 1",
            "proto = 1 1 1 1",
            "weights for 4 of 3 levels",
        ),
        ("proto = 1 1", "proto = 0 0", "weights sum to zero"),
        ("proto = 1 1", "proto = 1 x", "`x` is neither a weight"),
        ("0 1..37", "0 0..37", "ascending and distinct"),
        ("1:50 2:20", "0:50", "at least one row"),
        (
            "minority_rows: 0\n  repeats: ''",
            "minority_rows: 0\n  repeats: 1:3",
            "at least two rows",
        ),
        ("name: size", "name: label", "also a column"),
        ("smoothing:", "smothing:", "did you mean `smoothing`"),
    ];
    for (from, to, expected) in cases {
        assert!(SMALL.contains(from), "{from}");
        let message = check(|text| text.replace(from, to));
        assert!(message.contains(expected), "{from} -> {to}: {message}");
    }
}

#[test]
fn a_column_without_a_link_is_refused() {
    let message =
        check(|text| text.replace("    - proto <- size = 900 100 | 1000 | | 0 800 200\n", ""));
    assert!(message.contains("1 links for 2 columns"), "{message}");
}

#[test]
fn rounding_keeps_the_total_and_the_order() {
    let weights = Weights::round(&[1.0, 1.0, 1.0]);
    assert_eq!(weights.to_string(), "334 333 333");
    assert_eq!(Weights::round(&[0.0, 0.0, 2.0, 0.0]).to_string(), "_2 1000");
    assert_eq!(Weights::round(&[0.3, 0.0, 0.7]).to_string(), "300 0 700");
}

#[test]
fn a_ticket_falls_on_the_level_that_owns_it() {
    let weights: Weights = "2 _2 3 1".parse().unwrap();
    let picked: Vec<usize> = (0..weights.total())
        .map(|ticket| weights.pick(ticket))
        .collect();
    assert_eq!(picked, [0, 0, 3, 3, 3, 4]);
    let repeats = Repeats::try_from("1:2 5:1".to_owned()).unwrap();
    assert_eq!([0, 1, 2].map(|ticket| repeats.pick(ticket)), [1, 1, 5]);
    assert_eq!((repeats.n_vectors(), repeats.n_rows()), (3, 7));
}

#[test]
fn embedded_recipes_are_small_valid_and_known_by_their_schema_name() {
    for (name, text) in EMBEDDED {
        assert!(text.len() < 100_000, "{name}: {} bytes", text.len());
        let recipe = Recipe::embedded(name).unwrap();
        assert_eq!(recipe.schema, name);
        assert_eq!(
            recipe.to_yaml().unwrap(),
            text,
            "{name} is as the fitting writes it"
        );
    }
    let phishing = Recipe::embedded("phishing").unwrap();
    assert!(phishing.to_yaml().unwrap().len() < 60_000);
    assert_eq!(phishing.n_rows(), 11_055);
}
