//! Fits a recipe: `fit SCHEMA.yaml ROWS.csv [COMPONENTS [BINS]] > RECIPE.yaml`, or, given a recipe,
//! writes simulated rows: `fit RECIPE.yaml --rows N [SEED] > ROWS.csv`.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::io::Write as _;

use dataset::{
    Column, ColumnType, Domain, GroupKey, RawColumn, Records, Schema, Source as _, Table,
    TableColumn, Target, format_number,
};
use synth::{FitOptions, Recipe, SynthSource};

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        [recipe, "--rows", rows] => generate(recipe, rows.parse()?, 1),
        [recipe, "--rows", rows, seed] => generate(recipe, rows.parse()?, seed.parse()?),
        [schema, rows] => fit(schema, rows, FitOptions::default()),
        [schema, rows, ref counts @ ..] if counts.len() <= 2 => {
            let mut options = FitOptions::default();
            options.components = counts[0].parse()?;
            options.bins = counts.get(1).map_or(Ok(options.bins), |n| n.parse())?;
            fit(schema, rows, options)
        }
        _ => Err(
            "give SCHEMA.yaml ROWS.csv [COMPONENTS [BINS]] or RECIPE.yaml --rows N [SEED]".into(),
        ),
    }
}

fn fit(schema: &str, rows: &str, options: FitOptions) -> Outcome<()> {
    let mut schema = Schema::parse(&fs::read_to_string(schema)?, schema)?;
    let records = read(&mut schema, rows)?;
    let recipe = Recipe::fit(&schema, &records, &options)?;
    std::io::stdout().write_all(recipe.to_yaml()?.as_bytes())?;
    Ok(())
}

fn generate(recipe: &str, rows: u64, seed: u64) -> Outcome<()> {
    let recipe = Recipe::parse(&fs::read_to_string(recipe)?, recipe)?;
    let mut source = SynthSource::new(recipe, rows, seed)?;
    let mut writer = csv::Writer::from_writer(std::io::stdout().lock());
    let mut is_first = true;
    while let Some(batch) = source.next_batch()? {
        if std::mem::take(&mut is_first) {
            writer.write_record(&batch.names)?;
        }
        for row in 0..batch.n_rows() {
            let cells = batch.columns.iter().map(|column| match column {
                RawColumn::Text(text) => text.get(row).unwrap_or_default().to_owned(),
                RawColumn::Number(numbers) if numbers[row].is_nan() => String::new(),
                RawColumn::Number(numbers) => format_number(numbers[row]),
            });
            writer.write_record(cells)?;
        }
    }
    writer.flush()?;
    Ok(())
}

/// Reads a file that is taken to be clean; open text columns get the levels that it has.
fn read(schema: &mut Schema, path: &str) -> Outcome<Records> {
    let cells = read_cells(schema, path)?;
    for column in &mut schema.columns {
        if column.kind == ColumnType::Text && column.levels().is_none() {
            let mut levels = cells[&column.name].clone();
            levels.sort_unstable();
            levels.dedup();
            column.domain = Domain::Levels(levels);
        }
    }
    let targets = &cells[&schema.target.column];
    let columns = schema
        .features()
        .map(|column| typed(schema, column, &cells[&column.name]))
        .collect::<Outcome<_>>()?;
    let table = Table::new(targets.len(), columns);
    Ok(Records {
        groups: GroupKey::of_rows(&table),
        target: target(targets),
        table,
    })
}

fn read_cells(schema: &Schema, path: &str) -> Outcome<BTreeMap<String, Vec<String>>> {
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(schema.file.header)
        .trim(csv::Trim::All)
        .from_path(path)?;
    let names: Vec<String> = match schema.file.header {
        true => reader.headers()?.iter().map(str::to_owned).collect(),
        false => schema.file_columns(),
    };
    let mut cells: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for record in reader.records() {
        for (name, cell) in names.iter().zip(&record?) {
            cells.entry(name.clone()).or_default().push(cell.to_owned());
        }
    }
    Ok(cells)
}

fn typed(schema: &Schema, column: &Column, cells: &[String]) -> Outcome<TableColumn> {
    let value = |cell: &String| -> Outcome<f64> {
        match column.kind {
            _ if schema.is_missing_token(cell) => Ok(f64::NAN),
            ColumnType::Text => column
                .level_code(cell)
                .ok_or_else(|| format!("column `{}`: `{cell}` is not a level", column.name).into()),
            _ => Ok(cell.parse::<f64>()? + 0.0),
        }
    };
    Ok(TableColumn {
        name: column.name.clone(),
        values: cells.iter().map(value).collect::<Outcome<_>>()?,
    })
}

fn target(cells: &[String]) -> Target {
    let mut values = cells.to_vec();
    values.sort_unstable();
    values.dedup();
    let code = |cell: &String| values.partition_point(|value| value < cell) as u16;
    Target {
        codes: cells.iter().map(code).collect(),
        values,
    }
}
