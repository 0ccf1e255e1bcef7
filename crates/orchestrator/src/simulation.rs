//! `netsec synth generate|fit`: simulated rows as a file, and recipes for them from real rows.

use std::path::{Path, PathBuf};

use artifact::{Context, ErrorKind, Failure, Stage as _, read_bounded, write_atomic};
use clap::{Args, Subcommand};
use dataset::{ReferenceProfile, Schema, Source as _, SourceUri, ValidatedDataset};
use formats::{FileFormat, Layout};
use ingestion::IngestionConfig;
use serde_json::json;
use synth::{FitOptions, Recipe, SynthSource};
use validation::{Validation, ValidationConfig};

use crate::{
    config::schema_of,
    output::{note, print},
    schema_file::refuse_to_overwrite,
};

const MAX_RECIPE_BYTES: u64 = 64 << 20;

#[derive(Subcommand)]
pub enum SynthCommand {
    /// Write simulated rows to a file
    Generate(GenerateArguments),
    /// Fit a recipe for simulated rows to real ones
    Fit(FitArguments),
}

#[derive(Args)]
pub struct GenerateArguments {
    /// Recipe: phishing, nsl_kdd, or the path of a recipe file
    #[arg(long, value_name = "NAME|PATH.yaml")]
    recipe: String,
    /// Rows; as many as the recipe was fitted on by default
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    rows: Option<u64>,
    /// Seed; the rows are those of synth://NAME?rows=N&seed=SEED
    #[arg(long, value_name = "N", default_value_t = synth::DEFAULT_SEED)]
    seed: u64,
    /// File to write: .csv, .jsonl (each also with .gz) or .parquet
    #[arg(long, value_name = "FILE")]
    output: PathBuf,
    /// Print JSON for programs instead of text for people
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub struct FitArguments {
    /// Where the real records are: a path or file://…
    #[arg(long, value_name = "URI")]
    source: SourceUri,
    /// Data set: phishing, nsl_kdd, or the path of a schema file
    #[arg(long, value_name = "NAME|PATH.yaml")]
    dataset: String,
    /// Recipe file to write
    #[arg(long, value_name = "PATH.yaml")]
    output: PathBuf,
    /// Most trees in the mixture of each class
    #[arg(long, value_name = "N", default_value_t = FitOptions::default().components as u64,
          value_parser = clap::value_parser!(u64).range(1..=1000))]
    components: u64,
    /// Intervals that an open numeric column is cut to
    #[arg(long, value_name = "N", default_value_t = FitOptions::default().bins as u64,
          value_parser = clap::value_parser!(u64).range(2..=1000))]
    bins: u64,
    /// Overwrite the recipe file
    #[arg(long)]
    force: bool,
    /// Print JSON for programs instead of text for people
    #[arg(long)]
    json: bool,
}

/// Carries out a command on simulated data.
pub fn run(command: &SynthCommand) -> Result<u8, Failure> {
    match command {
        SynthCommand::Generate(arguments) => generate(arguments),
        SynthCommand::Fit(arguments) => fit(arguments),
    }?;
    Ok(0)
}

fn generate(arguments: &GenerateArguments) -> Result<(), Failure> {
    let recipe = recipe_of(&arguments.recipe)?;
    let is_embedded = !is_file(&arguments.recipe);
    let model = format!("{}-simulated", recipe.schema);
    let rows = arguments.rows.unwrap_or(recipe.n_rows());
    let format = FileFormat::to_write(&arguments.output, &layout_of(&recipe))?;
    let mut source = SynthSource::new(recipe, rows, arguments.seed)?;
    let mut sink = formats::create(&arguments.output, &format)?;
    while let Some(batch) = source.next_batch()? {
        sink.write(&batch)?;
    }
    sink.finish()?;
    let (shown, seed) = (arguments.output.display(), arguments.seed);
    // The rows of a recipe of one's own have no address: --source takes embedded ones alone.
    let uri = is_embedded.then(|| source.description());
    if arguments.json {
        let (output, recipe) = (&arguments.output, &arguments.recipe);
        let object =
            json!({"output": output, "rows": rows, "seed": seed, "recipe": recipe, "source": uri});
        return print(&object.to_string());
    }
    let of_file = || format!("recipe {}, seed {seed}", arguments.recipe);
    let origin = uri.map_or_else(of_file, str::to_owned);
    print(&format!("{shown}: {rows} simulated rows ({origin})"))?;
    note(&format!(
        "a file does not say that its rows are simulated: train on it with --model {model}"
    ));
    Ok(())
}

/// Returns how the data set that a recipe is for lays its text files out: an embedded one says it itself.
fn layout_of(recipe: &Recipe) -> Layout {
    schema_of(&recipe.schema).map_or_else(
        |_| Layout::of(&recipe.file, recipe.file_columns.clone()),
        |schema: Schema| Layout::of(&schema.file, schema.file_columns()),
    )
}

/// Returns whether a recipe is given by its path, not by its name.
fn is_file(recipe: &str) -> bool {
    let ending = Path::new(recipe).extension();
    ending.is_some_and(|e| e == "yaml" || e == "yml")
}

fn recipe_of(name: &str) -> Result<Recipe, Failure> {
    if !is_file(name) {
        return Ok(Recipe::embedded(name)?);
    }
    let path = Path::new(name);
    let bytes = read_bounded(path, MAX_RECIPE_BYTES)?;
    let text = String::from_utf8(bytes)
        .map_err(|_| Failure::new(ErrorKind::Config, format!("recipe {name} is not UTF-8")))?;
    Ok(Recipe::parse(&text, name)?)
}

fn fit(arguments: &FitArguments) -> Result<(), Failure> {
    refuse_to_overwrite(&arguments.output, arguments.force)?;
    let validated = read(arguments)?;
    let options = FitOptions {
        components: arguments.components as usize,
        bins: arguments.bins as usize,
    };
    let recipe = Recipe::fit(&validated.schema, &validated.records, &options)?;
    write_atomic(&arguments.output, recipe.to_yaml()?.as_bytes())?;
    let rows = validated.records.n_rows();
    if arguments.json {
        let object = json!({"recipe": arguments.output, "dataset": recipe.schema, "rows": rows});
        return print(&object.to_string());
    }
    let shown = arguments.output.display();
    print(&format!(
        "{shown}: fitted to {rows} rows of `{}`",
        recipe.schema
    ))
}

/// Reads and validates the rows as a run does, and keeps nothing of them.
fn read(arguments: &FitArguments) -> Result<ValidatedDataset, Failure> {
    if connectors::is_simulated(&arguments.source) {
        let message = format!("{}: a recipe is fitted to real rows", arguments.source);
        return Err(Failure::new(ErrorKind::Usage, message));
    }
    let schema = schema_of(&arguments.dataset)?;
    let mut source = connectors::open(&arguments.source, &schema)?;
    let config = IngestionConfig::default();
    let (raw, provenance) = ingestion::ingest(source.as_mut(), schema, &config, &|_, _, _| {})?;
    let none = ReferenceProfile {
        version: None,
        profile: None,
    };
    let validation = Validation::new(ValidationConfig::default());
    let quiet = |_: &str, _: u64, _: u64| {};
    let (validated,) = validation.run((raw, provenance, none), &mut Context::new(0, &quiet))?;
    Ok(validated)
}
