use serde_json::{Value, json};

use super::*;
use crate::Family;

/// Plans the fits of these learners and writes each as its rounds and members.
fn check(learners: &[(Family, Value)], expected: &[(Option<u32>, &[usize])]) {
    let candidates: Vec<(String, Learner)> = learners
        .iter()
        .map(|(family, parameters)| {
            let learner = Learner::parse(*family, parameters.clone()).unwrap();
            (parameters.to_string(), learner)
        })
        .collect();
    let plan = SharedFit::plan(&candidates);
    let found: Vec<(Option<u32>, &[usize])> = plan
        .iter()
        .map(|fit| (fit.learner.rounds(), fit.members.as_slice()))
        .collect();
    assert_eq!(found, expected);
}

#[test]
fn candidates_that_differ_in_rounds_alone_share_the_longest_fit() {
    let boosting = |n: u32, leaves: u32| {
        let parameters = json!({"n_estimators": n, "num_leaves": leaves});
        (Family::GradientBoosting, parameters)
    };
    check(
        &[
            boosting(100, 15),
            boosting(100, 31),
            boosting(400, 15),
            boosting(200, 15),
            (Family::RandomForest, json!({"n_estimators": 100})),
        ],
        &[
            (Some(400), &[0, 2, 3]),
            (Some(100), &[1]),
            (Some(100), &[4]),
        ],
    );
}

#[test]
fn learners_without_rounds_are_fitted_one_by_one() {
    let tree = (Family::DecisionTree, json!({"max_depth": 3}));
    check(&[tree.clone(), tree], &[(None, &[0]), (None, &[1])]);
}
