//! `netsec models export`: a registered version as a file.

use std::path::PathBuf;

use artifact::{Digest, Failure, write_atomic};
use clap::{Args, ValueEnum};
use onnx::Origin;
use registry::Registry;
use serde_json::json;

use super::Named;
use crate::{output::print, registries::registry};

#[derive(Args)]
pub struct ExportArguments {
    #[command(flatten)]
    model: Named,
    /// Version; the champion by default
    #[arg(long, value_name = "N")]
    version: Option<u64>,
    /// What to write
    #[arg(long, value_enum)]
    format: Format,
    /// File to write
    #[arg(long, value_name = "FILE")]
    output: PathBuf,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    /// One graph from raw columns to probability and label, for ONNX Runtime and others
    Onnx,
    /// The bundle itself, checked
    Bundle,
}

/// Writes the file, and says what it holds.
pub fn run(arguments: &ExportArguments) -> Result<(), Failure> {
    let ExportArguments {
        model,
        version,
        format,
        output,
    } = arguments;
    let registry: Registry = registry(&model.place)?;
    let entry = registry.entry(&model.name, *version)?;
    let (bytes, notes) = match format {
        Format::Bundle => (registry.bundle_bytes(&model.name, &entry)?, Vec::new()),
        Format::Onnx => {
            let origin = Origin {
                model: model.name.clone(),
                version: entry.version,
                bundle: entry.bundle,
            };
            let exported = onnx::export(&registry.bundle(&model.name, &entry)?, &origin)?;
            (exported.bytes, exported.notes)
        }
    };
    write_atomic(output, &bytes)?;
    let digest = Digest::of(&bytes);
    print(&if model.place.json {
        json!({
            "model": model.name,
            "version": entry.version,
            "output": output.display().to_string(),
            "bytes": bytes.len(),
            "sha256": digest.to_string(),
            "notes": notes,
        })
        .to_string()
    } else {
        let lines = notes.iter().map(|note| format!("\nnote: {note}"));
        format!(
            "{}: {} version {}, {} bytes, sha256 {}{}",
            output.display(),
            model.name,
            entry.version,
            bytes.len(),
            digest.short(),
            lines.collect::<String>()
        )
    })
}
