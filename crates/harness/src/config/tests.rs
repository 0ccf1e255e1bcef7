use serde::Deserialize;

use super::*;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Sample {
    folds: usize,
    search: Search,
}

#[derive(Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Search {
    depths: Vec<u32>,
    metric: String,
}

impl Default for Sample {
    fn default() -> Self {
        Self {
            folds: 5,
            search: Search {
                depths: vec![3],
                metric: "f1".to_owned(),
            },
        }
    }
}

fn check(file: &str, settings: &[&str]) -> Result<Sample, String> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("netsec.yaml");
    std::fs::write(&path, file).unwrap();
    let settings: Vec<String> = settings.iter().map(|s| (*s).to_owned()).collect();
    load(Some(&path), &settings).map_err(|e| e.to_string())
}

#[test]
fn a_setting_wins_over_the_file_and_the_file_over_the_default() {
    let config = check("search: {metric: pr_auc}", &["search.depths=[4, 5]"]).unwrap();
    assert_eq!(config.folds, 5);
    assert_eq!(
        config.search,
        Search {
            depths: vec![4, 5],
            metric: "pr_auc".to_owned()
        }
    );
}

#[test]
fn an_empty_file_changes_nothing() {
    assert_eq!(check("", &[]).unwrap(), Sample::default());
}

#[test]
fn an_unknown_key_is_answered_with_the_nearest_known_one() {
    let from_file = check("fold: 3", &[]).unwrap_err();
    assert!(from_file.contains("did you mean `folds`"), "{from_file}");
    let from_flag = check("", &["search.metrc=f1"]).unwrap_err();
    assert!(from_flag.contains("did you mean `metric`"), "{from_flag}");
}

#[test]
fn a_value_of_the_wrong_type_is_an_error_and_not_a_default() {
    assert!(check("folds: many", &[]).is_err());
    assert!(check("", &["folds=-1"]).is_err());
    assert!(check("", &["folds"]).unwrap_err().contains("key=value"));
}
