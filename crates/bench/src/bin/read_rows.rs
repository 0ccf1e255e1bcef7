//! Ingests and validates a file under a schema, in memory, and prints the seconds of each as JSON.
#![expect(clippy::print_stdout, reason = "its output is its purpose")]

use std::{
    path::{Path, PathBuf},
    time::Instant,
};

use artifact::{Context as StageContext, Stage as _};
use clap::Parser;
use dataset::{ReferenceProfile, Schema};
use formats::{FileFormat, Layout};
use ingestion::{IngestionConfig, ingest};
use serde_json::json;
use validation::{Validation, ValidationConfig};

#[derive(Parser)]
struct Arguments {
    /// Schema file
    schema: PathBuf,
    /// File of rows
    file: PathBuf,
}

fn main() -> anyhow::Result<()> {
    let Arguments { schema, file } = Arguments::parse();
    let schema = Schema::parse(&std::fs::read_to_string(&schema)?, "the schema file")?;
    let format = format_of(&file, &schema)?;

    let clock = Instant::now();
    let mut source = formats::open(&file, &format)?;
    let config = IngestionConfig::default();
    let (raw, provenance) = ingest(source.as_mut(), schema, &config, &|_, _, _| {})?;
    let ingested = clock.elapsed().as_secs_f64();
    let rows = raw.n_rows;

    let clock = Instant::now();
    let no_reference = ReferenceProfile {
        version: None,
        profile: None,
    };
    let silent: &artifact::Progress<'_> = &|_, _, _| {};
    let validation = Validation::new(ValidationConfig::default());
    let inputs = (raw, provenance, no_reference);
    let (validated,) = validation.run(inputs, &mut StageContext::new(42, silent))?;
    let seconds = clock.elapsed().as_secs_f64();
    let accepted = validated.records.n_rows();
    println!(
        "{}",
        json!({"rows": rows, "accepted": accepted, "read": ingested, "validate": seconds})
    );
    Ok(())
}

fn format_of(file: &Path, schema: &Schema) -> anyhow::Result<FileFormat> {
    let layout = Layout::of(&schema.file, schema.file_columns());
    Ok(FileFormat::of_path(file, &layout)?)
}
