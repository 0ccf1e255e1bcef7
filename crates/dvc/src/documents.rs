//! DVC's documents: `.dvc` files, `dvc.yaml` and `dvc.lock`.

use std::{
    fs::File,
    path::{Component, Path, PathBuf},
};

use artifact::{
    StoreError,
    yaml::{self, Value},
};
use serde::{Serialize, Serializer};

use crate::{DvcError, Md5, Tracked, absolute, cache::is_executable, tracked::Content};

/// A file or directory as documents name it, with what it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Data {
    /// Path from the document's directory, with `/` between names.
    pub path: String,
    /// Name of the object.
    pub object: String,
    /// Bytes.
    pub size: u64,
    /// Number of files; of a directory alone.
    pub n_files: Option<u64>,
    /// Whether it may be executed; of a file alone.
    pub is_executable: bool,
}

/// Returns where the stages of a pipeline put what they make; nothing for one that is not there or cannot be read.
pub(crate) fn outputs(pipeline: &Path) -> Vec<PathBuf> {
    let text = std::fs::read_to_string(pipeline).unwrap_or_default();
    let document = yaml::parse(&text).unwrap_or(Value::Null);
    let stages = document.get("stages").and_then(Value::as_mapping);
    let stages = stages.into_iter().flat_map(|stages| stages.values());
    let directory = pipeline.parent().unwrap_or(pipeline);
    let of_stage = |stage: &Value| {
        let inner = stage.get("wdir").and_then(Value::as_str);
        let directory = directory.join(inner.unwrap_or_default());
        let outs = stage.get("outs").and_then(Value::as_sequence);
        let outs = outs.cloned().unwrap_or_default().into_iter();
        let paths = outs.filter_map(move |out| absolute(&directory.join(out_path(&out)?)).ok());
        paths.collect::<Vec<_>>()
    };
    stages.flat_map(of_stage).collect()
}

/// Reads the path of an output, which may have settings of its own.
fn out_path(out: &Value) -> Option<String> {
    let alone = || out.as_mapping()?.keys().next()?.as_str();
    out.as_str().or_else(alone).map(str::to_owned)
}

impl Data {
    /// Describes what is tracked for the documents of a directory.
    pub fn of(tracked: &Tracked, directory: &Path) -> Self {
        let files = tracked.files();
        Self {
            path: relative(directory, tracked.place()),
            object: tracked.object().to_owned(),
            size: files.iter().map(|file| file.size).sum(),
            n_files: match tracked.content {
                Content::File(_) => None,
                Content::Directory(_) => Some(files.len() as u64),
            },
            is_executable: match &tracked.content {
                Content::File(file) => file.is_executable,
                Content::Directory(_) => false,
            },
        }
    }

    /// Describes one file of a tracked directory.
    pub fn within(tracked: &Tracked, relpath: &str, directory: &Path) -> Option<Self> {
        let file = tracked
            .files()
            .iter()
            .find(|file| file.relpath == relpath)?;
        Some(Self {
            path: format!("{}/{relpath}", relative(directory, tracked.place())),
            object: file.md5.to_string(),
            size: file.size,
            n_files: None,
            is_executable: file.is_executable,
        })
    }

    /// Describes a file that Git has and that lies at a path.
    ///
    /// # Errors
    /// [`DvcError::Store`] when it cannot be read.
    pub fn of_file(path: &Path, directory: &Path) -> Result<Self, DvcError> {
        let read = File::open(path).and_then(|file| {
            let found = file.metadata()?;
            Ok((Md5::of_reader(file)?, found))
        });
        let ((md5, size), found) = read.map_err(StoreError::io("read", path))?;
        Ok(Self {
            path: relative(directory, &absolute(path)?),
            object: md5.to_string(),
            size,
            n_files: None,
            is_executable: is_executable(&found),
        })
    }

    /// Describes a file that Git has, by what it holds.
    pub fn of_bytes(path: &str, bytes: &[u8]) -> Self {
        Self {
            path: path.to_owned(),
            object: Md5::of(bytes).to_string(),
            size: bytes.len() as u64,
            n_files: None,
            is_executable: false,
        }
    }
}

/// Returns a path as seen from a directory; both are absolute.
fn relative(directory: &Path, path: &Path) -> String {
    let (from, to): (Vec<Component<'_>>, Vec<Component<'_>>) = (
        directory.components().collect(),
        path.components().collect(),
    );
    let common = from.iter().zip(&to).take_while(|(a, b)| a == b).count();
    let up = from[common..].iter().map(|_| "..".to_owned());
    let down = to[common..]
        .iter()
        .map(|part| part.as_os_str().to_string_lossy().into_owned());
    up.chain(down).collect::<Vec<_>>().join("/")
}

/// What `dvc.yaml` and `dvc.lock` hold.
#[derive(Clone, Debug, Default)]
pub struct Project {
    /// In the order of their work.
    pub stages: Vec<Stage>,
}

/// A stage: what it does, from what, and what comes of it.
#[derive(Clone, Debug, Default)]
pub struct Stage {
    /// Its name.
    pub name: String,
    /// Commands for the shell, one after the other.
    pub commands: Vec<String>,
    /// What it reads.
    pub deps: Vec<Data>,
    /// A file of parameters, and those that the stage reads.
    pub params: Option<(String, Vec<(String, Value)>)>,
    /// What it writes, for the cache.
    pub outs: Vec<Data>,
    /// Files with figures, for Git.
    pub metrics: Vec<Data>,
    /// Files with curves, for Git.
    pub plots: Vec<(Data, Plot)>,
}

/// How a curve is drawn.
#[derive(Clone, Debug, Serialize)]
pub struct Plot {
    cache: bool,
    /// Title of the drawing.
    title: String,
    /// Column of the horizontal axis.
    x: String,
    /// Column of the vertical axis.
    y: String,
}

impl Plot {
    /// Draws one column over another.
    pub fn new(title: &str, x: &str, y: &str) -> Self {
        Self {
            cache: false,
            title: title.to_owned(),
            x: x.to_owned(),
            y: y.to_owned(),
        }
    }
}

/// Returns the text of a `.dvc` file.
pub(crate) fn dvc_file(data: &Data) -> String {
    #[derive(Serialize)]
    struct Document<'a> {
        outs: [Out<'a>; 1],
    }
    // In DVC's order, which differs from that of a lock.
    #[derive(Serialize)]
    struct Out<'a> {
        md5: &'a str,
        size: u64,
        #[serde(skip_serializing_if = "Option::is_none")]
        nfiles: Option<u64>,
        #[serde(skip_serializing_if = "is_false")]
        isexec: bool,
        hash: &'static str,
        path: &'a str,
    }
    let out = Out {
        md5: &data.object,
        size: data.size,
        nfiles: data.n_files,
        isexec: data.is_executable,
        hash: "md5",
        path: &data.path,
    };
    to_text(&Document { outs: [out] })
}

impl Project {
    /// Returns the text of `dvc.yaml`.
    pub(crate) fn yaml(&self) -> String {
        #[derive(Serialize)]
        struct Document<'a> {
            stages: Map<&'a str, Described>,
        }
        let stages = self
            .stages
            .iter()
            .map(|stage| (stage.name.as_str(), stage.described()));
        to_text(&Document {
            stages: Map(stages.collect()),
        })
    }

    /// Returns the text of `dvc.lock`.
    pub(crate) fn lock(&self) -> String {
        #[derive(Serialize)]
        struct Document<'a> {
            schema: &'static str,
            stages: Map<&'a str, Locked<'a>>,
        }
        let stages = self
            .stages
            .iter()
            .map(|stage| (stage.name.as_str(), stage.locked()));
        to_text(&Document {
            schema: "2.0",
            stages: Map(stages.collect()),
        })
    }
}

/// A stage in `dvc.yaml`.
#[derive(Serialize)]
struct Described {
    cmd: Commands,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    deps: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    params: Vec<Map<String, Vec<String>>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    outs: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    metrics: Vec<Map<String, NoCache>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    plots: Vec<Map<String, Plot>>,
}

/// A stage in `dvc.lock`.
#[derive(Serialize)]
struct Locked<'a> {
    cmd: Commands,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    deps: Vec<LockedData<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    params: Option<Map<&'a str, Map<&'a str, &'a Value>>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    outs: Vec<LockedData<'a>>,
}

#[derive(Serialize)]
struct LockedData<'a> {
    path: &'a str,
    hash: &'static str,
    md5: &'a str,
    size: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    nfiles: Option<u64>,
    #[serde(skip_serializing_if = "is_false")]
    isexec: bool,
}

impl<'a> From<&'a Data> for LockedData<'a> {
    fn from(data: &'a Data) -> Self {
        Self {
            path: &data.path,
            hash: "md5",
            md5: &data.object,
            size: data.size,
            nfiles: data.n_files,
            isexec: data.is_executable,
        }
    }
}

/// What Git has is not for the cache.
#[derive(Clone, Copy, Serialize)]
struct NoCache {
    cache: bool,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Commands {
    One(String),
    Many(Vec<String>),
}

impl Stage {
    fn commands(&self, text: impl Fn(&str) -> String) -> Commands {
        match &self.commands[..] {
            [one] => Commands::One(text(one)),
            many => Commands::Many(many.iter().map(|command| text(command)).collect()),
        }
    }

    fn described(&self) -> Described {
        let paths = |data: &[Data]| {
            let mut paths: Vec<String> = data.iter().map(|data| literal(&data.path)).collect();
            paths.sort();
            paths
        };
        let names =
            |values: &[(String, Value)]| values.iter().map(|(name, _)| name.clone()).collect();
        let params = self.params.iter();
        let figures = self.metrics.iter();
        let curves = self.plots.iter();
        Described {
            cmd: self.commands(literal),
            deps: paths(&self.deps),
            params: params
                .map(|(file, values)| Map(vec![(literal(file), names(values))]))
                .collect(),
            outs: paths(&self.outs),
            metrics: figures
                .map(|data| Map(vec![(literal(&data.path), NoCache { cache: false })]))
                .collect(),
            plots: curves
                .map(|(data, plot)| Map(vec![(literal(&data.path), plot.clone())]))
                .collect(),
        }
    }

    fn locked(&self) -> Locked<'_> {
        let curves = self.plots.iter().map(|(data, _)| data);
        let outs = self.outs.iter().chain(&self.metrics).chain(curves);
        let params = self.params.as_ref();
        Locked {
            cmd: self.commands(str::to_owned),
            deps: by_path(self.deps.iter()),
            params: params.map(|(file, values)| Map(vec![(file.as_str(), by_name(values))])),
            outs: by_path(outs),
        }
    }
}

fn by_path<'a>(data: impl Iterator<Item = &'a Data>) -> Vec<LockedData<'a>> {
    let mut data: Vec<LockedData<'a>> = data.map(LockedData::from).collect();
    data.sort_by_key(|data| data.path);
    data
}

fn by_name(values: &[(String, Value)]) -> Map<&str, &Value> {
    let mut values: Vec<(&str, &Value)> = values.iter().map(|(n, v)| (n.as_str(), v)).collect();
    values.sort_by_key(|(name, _)| *name);
    Map(values)
}

/// Keeps DVC from taking a text of `dvc.yaml` for one with a value to be filled in.
fn literal(text: &str) -> String {
    text.replace("${", "\\${")
}

/// A map in the order of its entries.
struct Map<K, V>(Vec<(K, V)>);

impl<K: Serialize, V: Serialize> Serialize for Map<K, V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(key, value)| (key, value)))
    }
}

fn is_false(value: &bool) -> bool {
    !value
}

fn to_text(document: &impl Serialize) -> String {
    yaml::to_text(document).expect("texts, numbers and maps with texts as keys have a YAML form")
}

#[cfg(test)]
mod tests;
