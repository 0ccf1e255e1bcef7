//! Times one fit of a tree learner on a binary file and prints a JSON line; `peers/trees_peers.py` runs it.
#![expect(clippy::print_stdout, reason = "a program for scripts")]

use std::{fs, path::PathBuf, time::Instant};

use bench::{
    learners::{self, Family},
    rows::Rows,
    usage,
};
use clap::Parser;
use serde_json::json;
use trees::BinnedMatrix;

/// Bins and fits on the rows of a file (little-endian f32, row-major, the class index last).
///
/// Threads: RAYON_NUM_THREADS.
#[derive(Parser)]
struct Arguments {
    #[arg(long)]
    train: PathBuf,
    /// Columns of a row, the class included.
    #[arg(long)]
    columns: usize,
    #[arg(long, value_enum)]
    learner: Family,
    #[arg(long, default_value_t = 100)]
    trees: u32,
    #[arg(long, default_value_t = 31)]
    leaves: u32,
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Fits before the one that is timed.
    #[arg(long, default_value_t = 0)]
    warm_up: u32,
    /// Rows to score.
    #[arg(long, requires = "scores")]
    test: Option<PathBuf>,
    /// Where the test rows' probabilities of class 1 go, little-endian f64.
    #[arg(long)]
    scores: Option<PathBuf>,
}

fn main() -> anyhow::Result<()> {
    let args = Arguments::parse();
    let rows = Rows::read(&args.train, args.columns)?;
    let fit = |matrix: &BinnedMatrix| {
        let (trees, leaves) = (args.trees, args.leaves);
        learners::fit(args.learner, matrix, &rows.y, trees, leaves, args.seed)
    };
    for _ in 0..args.warm_up {
        fit(&BinnedMatrix::new(rows.x.view())?)?;
    }
    usage::forget_peak()?;
    let (before, _) = usage::resident_and_peak()?;
    let cpu_before = usage::cpu_seconds()?;
    let start = Instant::now();
    let matrix = BinnedMatrix::new(rows.x.view())?;
    let binning = start.elapsed().as_secs_f64();
    let fitted = fit(&matrix)?;
    let seconds = start.elapsed().as_secs_f64();
    let cpu = usage::cpu_seconds()? - cpu_before;
    let (_, peak) = usage::resident_and_peak()?;
    if let (Some(test), Some(scores)) = (&args.test, &args.scores) {
        let test = Rows::read(test, args.columns)?;
        let p = fitted.predict_proba(test.x.view());
        let bytes: Vec<u8> = p.column(1).iter().flat_map(|p| p.to_le_bytes()).collect();
        fs::write(scores, bytes)?;
    }
    println!(
        "{}",
        json!({"seconds": seconds, "cpu": cpu, "binning": binning, "peak_mib": peak - before})
    );
    Ok(())
}
