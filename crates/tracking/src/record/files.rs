//! The files of a run that the server gets: reports, the bundle, curves; no rows.

use std::path::PathBuf;

use artifact::{Run, StoreError};
use serde_json::json;

use super::Evidence;

/// A file for the server.
#[derive(Debug)]
pub(crate) struct File {
    /// Where it goes, below the run.
    pub path: String,
    pub content: Content,
}

#[derive(Debug)]
pub(crate) enum Content {
    Path(PathBuf),
    Bytes(Vec<u8>),
}

pub(super) fn of(run: &Run, evidence: &Evidence) -> Result<Vec<File>, StoreError> {
    let mut files = Vec::new();
    let own = run.files()?.into_iter().map(|file| file.name);
    for name in own.chain(["config.yaml".to_owned()]) {
        let path = run.directory().join(&name);
        files.push(File::of(name, path));
    }
    for (step, stage) in &evidence.stages {
        let name = &stage.stage;
        files.push(File::of(
            format!("stages/{name}/manifest.json"),
            step.join("manifest.json"),
        ));
        // The others are tables of rows.
        for file in stage.files.iter().filter(|f| f.name.ends_with(".json")) {
            files.push(File::of(
                format!("stages/{name}/{}", file.name),
                step.join(&file.name),
            ));
        }
        if stage.outputs.iter().any(|made| made.kind == "model-bundle") {
            files.push(File::of(
                "bundle/model-bundle.bin",
                step.join("model-bundle.bin"),
            ));
        }
    }
    if let Some(evaluation) = &evidence.evaluation {
        let curves = json!(evaluation.curves).to_string();
        files.push(File {
            path: "curves.json".to_owned(),
            content: Content::Bytes(curves.into_bytes()),
        });
    }
    // A file that was never written or is gone is not there to be sent.
    let is_there = |file: &File| match &file.content {
        Content::Path(path) => path.is_file(),
        Content::Bytes(_) => true,
    };
    Ok(files.into_iter().filter(is_there).collect())
}

impl File {
    fn of(path: impl Into<String>, place: PathBuf) -> Self {
        Self {
            path: path.into(),
            content: Content::Path(place),
        }
    }

    /// Reads its content.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    pub(crate) fn bytes(self) -> Result<Vec<u8>, StoreError> {
        match self.content {
            Content::Bytes(bytes) => Ok(bytes),
            Content::Path(path) => std::fs::read(&path).map_err(StoreError::io("read", &path)),
        }
    }
}
