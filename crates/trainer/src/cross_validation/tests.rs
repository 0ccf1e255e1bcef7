use serde_json::{Value, json};

use super::*;
use crate::Family;

/// Plans the fits of these learners and compares the members of each.
fn check(learners: &[(Family, Value)], expected: &[&[usize]]) {
    let candidates = candidates(learners);
    let plan = SharedFit::plan(&candidates);
    let found: Vec<&[usize]> = plan.iter().map(|fit| fit.members.as_slice()).collect();
    assert_eq!(found, expected);
}

fn candidates(learners: &[(Family, Value)]) -> Vec<(String, Learner)> {
    let parse = |(family, parameters): &(Family, Value)| {
        let learner = Learner::parse(*family, parameters.clone()).unwrap();
        (parameters.to_string(), learner)
    };
    learners.iter().map(parse).collect()
}

#[test]
fn candidates_that_differ_in_rounds_alone_share_a_fit_by_ascending_rounds() {
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
        &[&[0, 3, 2], &[1], &[4]],
    );
}

#[test]
fn logistic_regressions_share_a_fit_unless_they_stop_elsewhere() {
    let logistic = |c: f64, tol: f64| (Family::LogisticRegression, json!({"c": c, "tol": tol}));
    check(
        &[
            logistic(3.0, 1e-6),
            logistic(0.3, 1e-6),
            logistic(1.0, 1e-4),
        ],
        &[&[1, 0], &[2]],
    );
}

#[test]
fn different_trees_are_fitted_one_by_one() {
    let tree = |depth: u32| (Family::DecisionTree, json!({"max_depth": depth}));
    check(&[tree(3), tree(4)], &[&[0], &[1]]);
}

#[test]
fn the_time_of_a_shared_fit_is_shared_out_whole_to_the_longest() {
    let forest = |n: u32| (Family::RandomForest, json!({"n_estimators": n}));
    let candidates = candidates(&[forest(25), forest(100)]);
    let members: Vec<_> = candidates.iter().collect();
    let shares = members.iter().map(|(_, l)| l.share_of_time(&members));
    assert_eq!(shares.collect::<Vec<_>>(), [0.25, 1.0]);
}
