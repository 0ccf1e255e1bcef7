//! Reads a source into columns and says how long it took: `read URI SCHEMA.yaml`.

use std::{fs, path::Path, time::Instant};

use artifact::Failure;
use dataset::{Schema, SourceUri};

#[expect(
    clippy::print_stdout,
    reason = "it is for people and for the peers' script"
)]
fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [uri, schema] = &arguments[..] else {
        println!("usage: read URI SCHEMA.yaml");
        return Ok(());
    };
    let schema = Schema::read(Path::new(schema))?;
    let since = Instant::now();
    let mut source = connectors::open(&SourceUri::new(uri), &schema)?;
    let (mut rows, mut columns) = (0, 0);
    while let Some(batch) = source.next_batch()? {
        rows += batch.n_rows();
        columns = batch.columns.len();
    }
    let seconds = since.elapsed().as_secs_f64();
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let peak = peak.unwrap_or("unknown").trim();
    println!("{rows} rows of {columns} columns in {seconds:.3} s, peak {peak}");
    Ok(())
}
