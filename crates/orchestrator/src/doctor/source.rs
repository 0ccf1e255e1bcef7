//! The way to a source, and what its first rows look like to a run.

use artifact::{ErrorKind, Failure, printable};
use dataset::{RawBatch, RawDataset, Schema, SourceUri};
use ingestion::IngestionConfig;

use super::Finding;

const CHECK: &str = "source";

/// Rows of a source that are read and judged.
const FIRST_ROWS: u64 = 1_000;

/// Tries the steps to the source, then judges its first rows.
pub(super) fn examine(uri: &SourceUri, schema: &Schema) -> Vec<Finding> {
    let mut is_reached = true;
    let mut findings = Vec::new();
    for probe in connectors::probe(uri).0 {
        is_reached &= probe.outcome.is_ok();
        findings.push(match &probe.outcome {
            Ok(said) => Finding::ok(probe.check, said.as_str()),
            Err(failure) => Finding::fail(probe.check, failure, ""),
        });
    }
    if is_reached {
        let found = first_rows(uri, schema);
        findings.push(found.unwrap_or_else(|failure| Finding::fail(CHECK, &failure, "")));
    }
    findings
}

fn first_rows(uri: &SourceUri, schema: &Schema) -> Result<Finding, Failure> {
    let max_rows = Some(FIRST_ROWS);
    let mut source = connectors::open(uri, schema)?;
    let (raw, provenance) = ingestion::ingest(
        source.as_mut(),
        schema.clone(),
        &IngestionConfig { max_rows },
        &|_, _, _| {},
    )?;
    let (needed, optional): (Vec<_>, Vec<_>) =
        raw.absent.iter().partition(|name| schema.needs(name));
    if !needed.is_empty() {
        let advice = "name its columns as the schema does, or give its own --dataset";
        return Err(refused(
            uri,
            &format!("lacks {}: {advice}", listed(&needed)),
        ));
    }
    if raw.n_rows == 0 {
        return Err(refused(uri, "has no rows"));
    }
    let bad = validation::screen(&raw, &provenance).quarantine;
    let judged = judgement(&raw, &bad);
    let (n_bad, n_rows) = (bad.n_rows() as u64, raw.n_rows);
    let are_too_many = n_bad as f64 > schema.quality.max_bad_share * n_rows as f64;
    // Bad rows may stand close together at the beginning of a file that is good on the whole.
    if are_too_many && (n_rows < FIRST_ROWS || n_bad == n_rows) {
        let advice = "mend them, or raise `quality.max_bad_share` of the schema";
        return Err(refused(
            uri,
            &format!("would be refused: {judged}: {advice}"),
        ));
    }
    let mut said = format!("{uri}: {judged}");
    if are_too_many {
        said += "; a run refuses more than `quality.max_bad_share` of all rows";
    }
    if !optional.is_empty() {
        said += &format!("; it lacks {}, which may be missing", listed(&optional));
    }
    Ok(if are_too_many || !optional.is_empty() {
        Finding::warn(CHECK, said)
    } else {
        Finding::ok(CHECK, said)
    })
}

fn refused(uri: &SourceUri, why: &str) -> Failure {
    Failure::new(ErrorKind::Rejected, format!("{uri} {why}"))
}

/// Says how many of the rows that were read are bad, and what is wrong with the first of them.
fn judgement(raw: &RawDataset, bad: &RawBatch) -> String {
    let n_rows = raw.n_rows;
    let problems = bad.position("problems").filter(|_| bad.n_rows() > 0);
    let Some(problem) = problems.and_then(|at| bad.columns[at].text(0)) else {
        return format!("first {n_rows} rows read, none bad");
    };
    let (n_bad, number) = (bad.n_rows(), bad.row_numbers[0]);
    let problem = printable(&problem);
    format!("{n_bad} of the first {n_rows} rows bad, such as row {number}: {problem}")
}

fn listed(names: &[&String]) -> String {
    let shown: Vec<_> = names.iter().take(5).map(|name| printable(name)).collect();
    let (n, more) = (names.len(), if names.len() > 5 { ", …" } else { "" });
    let columns = if n == 1 { "column" } else { "columns" };
    format!("{n} {columns}: {}{more}", shown.join(", "))
}
