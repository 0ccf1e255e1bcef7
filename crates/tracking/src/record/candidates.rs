//! The candidates of the search, each a nested run.

use trainer::{CandidateReport, TrainingReport};

use super::{Candidate, Evidence};
use crate::batch::Batch;

pub(super) fn of(evidence: &Evidence, at: i64) -> Vec<Candidate> {
    let Some(training) = &evidence.training else {
        return Vec::new();
    };
    let all = training.candidates.iter().chain(&training.baselines);
    all.map(|report| candidate(training, report, at)).collect()
}

fn candidate(training: &TrainingReport, report: &CandidateReport, at: i64) -> Candidate {
    let mut batch = Batch::default();
    let is_chosen = report.name == training.chosen;
    batch.tag("netsec.chosen", is_chosen.to_string());
    batch.parameter("family", report.family.clone());
    for (name, value) in parameters(&report.name) {
        batch.parameter(name, value);
    }
    for (name, spread) in &report.cv.0 {
        batch.metric(&format!("cv/{name}"), spread.mean, 0, at);
        batch.metric(&format!("cv/{name}_std"), spread.std, 0, at);
    }
    for (name, folds) in &report.folds {
        for (fold, value) in folds.iter().enumerate() {
            batch.metric(&format!("cv_fold/{name}"), *value, fold, at);
        }
    }
    for (round, loss) in &report.log_loss_by_round {
        batch.metric("cv_round/log_loss", *loss, *round, at);
    }
    batch.metric("fit_seconds", report.fit_seconds, 0, at);
    Candidate {
        name: report.name.clone(),
        batch,
    }
}

/// Takes `family(a=1, b=[2, 3])` apart: commas within brackets separate nothing.
fn parameters(name: &str) -> Vec<(&str, &str)> {
    let inside = name
        .split_once('(')
        .and_then(|(_, rest)| rest.strip_suffix(')'));
    let inside = inside.unwrap_or_default();
    let (mut found, mut depth, mut from) = (Vec::new(), 0usize, 0);
    for (at, c) in inside.char_indices() {
        match c {
            '[' | '(' | '{' => depth += 1,
            ']' | ')' | '}' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                found.push(&inside[from..at]);
                from = at + 1;
            }
            _ => {}
        }
    }
    found.push(&inside[from..]);
    let pairs = found.into_iter();
    pairs
        .filter_map(|text| text.trim().split_once('='))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_read_from_a_name() {
        let cases: [(&str, &[(&str, &str)]); 4] = [
            (
                "tree(max_depth=3, leaf=1)",
                &[("max_depth", "3"), ("leaf", "1")],
            ),
            ("forest(w=[1, 2.5], n=9)", &[("w", "[1, 2.5]"), ("n", "9")]),
            ("naive_bayes()", &[]),
            ("odd", &[]),
        ];
        for (name, expected) in cases {
            assert_eq!(parameters(name), expected, "{name}");
        }
    }
}
