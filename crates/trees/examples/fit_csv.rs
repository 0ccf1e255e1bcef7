//! Times the learners on a CSV file, one JSON line a learner.
//!
//! `fit_csv TRAIN.csv [TEST.csv]`: comma-separated numbers, one header
//! line, the class index last. Reports the median seconds of five fits and, given a test file, writes
//! the probability of class 1 of its rows to `TEST.csv.<learner>`.
#![expect(clippy::print_stdout, reason = "a program for people")]

use std::{error::Error, fs, time::Instant};

use model::trees::TreeEnsemble;
use ndarray::Array2;
use trees::{BinnedMatrix, DecisionTree, ExtraTrees, GradientBoosting, RandomForest, TreesError};

const REPETITIONS: usize = 5;

type Fit = Box<dyn Fn(&BinnedMatrix, &[u16]) -> Result<TreeEnsemble, TreesError>>;

fn main() -> Result<(), Box<dyn Error>> {
    let files: Vec<String> = std::env::args().skip(1).collect();
    let (x, labels) = read(files.first().ok_or("give a CSV file")?)?;
    let (seconds, matrix) = median_seconds(|| BinnedMatrix::new(x.view()))?;
    println!(
        r#"{{"what":"binning","seconds":{seconds:.5},"rows":{},"distinct":{}}}"#,
        matrix.n_rows(),
        matrix.n_distinct()
    );
    for (name, fit) in learners() {
        let (seconds, model) = median_seconds(|| fit(&matrix, &labels))?;
        let (scoring, _) = median_seconds(|| Ok(model.predict_proba(x.view())))?;
        println!(r#"{{"what":"{name}","seconds":{seconds:.5},"scoring":{scoring:.5}}}"#);
        if let Some(test) = files.get(1) {
            write_scores(&model, test, name)?;
        }
    }
    Ok(())
}

fn learners() -> Vec<(&'static str, Fit)> {
    let boosting = GradientBoosting::default();
    let forest = RandomForest::default();
    let extra = ExtraTrees::default();
    let tree = DecisionTree::default();
    vec![
        (
            "boosting",
            Box::new(move |m, y| boosting.fit(m, y, 2, None, 1)),
        ),
        (
            "random_forest",
            Box::new(move |m, y| forest.fit(m, y, 2, None, 1)),
        ),
        (
            "extra_trees",
            Box::new(move |m, y| extra.fit(m, y, 2, None, 1)),
        ),
        (
            "decision_tree",
            Box::new(move |m, y| tree.fit(m, y, 2, None, 1)),
        ),
    ]
}

fn median_seconds<T>(run: impl Fn() -> Result<T, TreesError>) -> Result<(f64, T), TreesError> {
    let mut result = run()?;
    let mut seconds = [0.0; REPETITIONS];
    for slot in &mut seconds {
        let start = Instant::now();
        result = run()?;
        *slot = start.elapsed().as_secs_f64();
    }
    seconds.sort_by(f64::total_cmp);
    Ok((seconds[REPETITIONS / 2], result))
}

fn read(path: &str) -> Result<(Array2<f32>, Vec<u16>), Box<dyn Error>> {
    let text = fs::read_to_string(path)?;
    let (mut values, mut labels) = (Vec::new(), Vec::new());
    for line in text.lines().skip(1) {
        let (features, label) = line.rsplit_once(',').ok_or("a line without commas")?;
        labels.push(label.trim().parse()?);
        for cell in features.split(',') {
            values.push(if cell.is_empty() {
                f32::NAN
            } else {
                cell.parse()?
            });
        }
    }
    let width = values.len() / labels.len().max(1);
    Ok((
        Array2::from_shape_vec((labels.len(), width), values)?,
        labels,
    ))
}

fn write_scores(model: &TreeEnsemble, test: &str, learner: &str) -> Result<(), Box<dyn Error>> {
    let (x, _) = read(test)?;
    let scores = model.predict_proba(x.view());
    let lines: Vec<String> = scores.column(1).iter().map(f64::to_string).collect();
    Ok(fs::write(format!("{test}.{learner}"), lines.join("\n"))?)
}
