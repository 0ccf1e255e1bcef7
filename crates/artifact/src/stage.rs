//! What a pipeline stage is: typed artifacts in, typed artifacts out, and nothing else.

use std::collections::BTreeMap;

use serde::{Serialize, de::DeserializeOwned};

use crate::{
    Artifact, ArtifactRecord, Classified, Digest, Failure, Id, Run, StoreError, clock::Stopwatch,
};

/// A stage of the pipeline. It sees no paths, no clock and no network; [`Run::execute`] does.
pub trait Stage {
    /// Name on the command line and in the configuration.
    const NAME: &'static str;
    /// Position in the run directory: `02-validation` for 2.
    const ORDER: u8;
    /// The section of the configuration that belongs to this stage.
    type Config: Serialize + DeserializeOwned + Default;
    /// Artifacts that it takes: a tuple.
    type Inputs: Inputs;
    /// Artifacts that it gives: a tuple.
    type Outputs: Outputs;
    /// Its error.
    type Error: Classified + std::error::Error + Send + Sync + 'static;

    /// Returns the parameters that the manifest records.
    fn config(&self) -> &Self::Config;

    /// Does the work.
    ///
    /// # Errors
    /// The stage's own; what was put into `context` until then is written all the same.
    fn run(
        &self,
        inputs: Self::Inputs,
        context: &mut Context,
    ) -> Result<Self::Outputs, Self::Error>;
}

/// Receives a stage's progress: what is being done, how much of it is done, and the total.
pub type Progress<'a> = dyn Fn(&str, u64, u64) + Sync + 'a;

/// How far a stage has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Advance<'a> {
    /// Name of the stage.
    pub stage: &'a str,
    /// What it is at; empty at its beginning and its end.
    pub step: &'a str,
    /// Units of this step that are done.
    pub done: u64,
    /// Units of this step in all; 0 while that is not known.
    pub total: u64,
}

/// Receives the progress of every stage that is executed: 0 of 1 first, 1 of 1 once it is committed,
/// and what the stage itself says in between.
pub type Watch<'a> = dyn Fn(Advance<'_>) + Sync + 'a;

/// What a stage may leave besides artifacts.
pub struct Context<'a> {
    /// The seed of everything random.
    pub seed: u64,
    /// Kinds and digests of the artifacts that went in, for those who keep their own lineage.
    pub inputs: Vec<ArtifactRecord>,
    pub(crate) files: Vec<(String, Vec<u8>)>,
    pub(crate) counts: BTreeMap<String, u64>,
    progress: &'a Progress<'a>,
}

impl<'a> Context<'a> {
    /// Makes the context of one execution; tests of a stage make their own.
    pub fn new(seed: u64, progress: &'a Progress<'a>) -> Self {
        Self {
            seed,
            inputs: Vec::new(),
            files: Vec::new(),
            counts: BTreeMap::new(),
            progress,
        }
    }

    /// Leaves a report, as JSON, under `<name>.json`; it is written even when the stage then fails.
    pub fn report(&mut self, name: &str, report: &impl Serialize) {
        let bytes = serde_json::to_vec_pretty(report).expect("reports are plain data");
        self.attach(&format!("{name}.json"), bytes);
    }

    /// Leaves a file for people and other tools.
    pub fn attach(&mut self, name: &str, bytes: Vec<u8>) {
        self.files.retain(|(n, _)| n != name);
        self.files.push((name.to_owned(), bytes));
    }

    /// Returns the content of a file left so far.
    pub fn attached(&self, name: &str) -> Option<&[u8]> {
        self.files
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, bytes)| bytes.as_slice())
    }

    /// Records a count in the manifest.
    pub fn count(&mut self, name: &str, n: usize) {
        self.counts.insert(name.to_owned(), n as u64);
    }

    /// Returns the digest of the artifact of a kind that went in; nothing when none did.
    pub fn input<A: Artifact>(&self) -> Option<Digest> {
        let mut records = self.inputs.iter();
        let found = records.find(|record| record.kind == A::KIND);
        found.map(|record| record.digest)
    }

    /// Starts measuring a duration, which may stand in reports and in no artifact.
    pub fn stopwatch(&self) -> Stopwatch {
        Stopwatch::start()
    }

    /// Returns the receiver of progress, which may be called from any thread.
    pub fn progress(&self) -> &'a Progress<'a> {
        self.progress
    }
}

/// A tuple of artifacts that a stage takes.
pub trait Inputs: Sized {
    /// The matching tuple of [`Id`]s.
    type Ids: Copy;

    /// Reads all of them back from their committed bytes.
    ///
    /// # Errors
    /// [`StoreError`] when one is missing, damaged or another than asked for.
    fn load(run: &Run, ids: Self::Ids) -> Result<Self, StoreError>;

    /// Finds the artifacts of these kinds in a run directory.
    ///
    /// # Errors
    /// [`StoreError::Missing`] when a stage before has not been completed.
    fn find(run: &Run) -> Result<Self::Ids, StoreError>;

    /// Lists kinds and digests for the manifest.
    fn records(ids: Self::Ids) -> Vec<ArtifactRecord>;
}

/// A tuple of artifacts that a stage gives.
pub trait Outputs: Sized {
    /// The matching tuple of [`Id`]s.
    type Ids: Copy;

    /// Serializes each into its envelope: file stem and bytes, in order.
    ///
    /// # Errors
    /// As [`crate::codec::encode`].
    fn encode(&self) -> Result<Vec<(&'static str, Vec<u8>)>, Failure>;

    /// Makes the typed ids from the digests, in order.
    fn ids(records: &[ArtifactRecord]) -> Self::Ids;
}

macro_rules! tuples {
    ($(($($name:ident $index:tt),*)),*) => {$(
        impl<$($name: Artifact),*> Inputs for ($($name,)*) {
            type Ids = ($(Id<$name>,)*);

            #[allow(unused_variables, clippy::unused_unit)]
            fn load(run: &Run, ids: Self::Ids) -> Result<Self, StoreError> {
                Ok(($(run.load(ids.$index)?,)*))
            }

            #[allow(unused_variables, clippy::unused_unit)]
            fn find(run: &Run) -> Result<Self::Ids, StoreError> {
                Ok(($(run.find::<$name>()?,)*))
            }

            #[allow(unused_variables)]
            fn records(ids: Self::Ids) -> Vec<ArtifactRecord> {
                vec![$(ids.$index.record()),*]
            }
        }

        impl<$($name: Artifact),*> Outputs for ($($name,)*) {
            type Ids = ($(Id<$name>,)*);

            fn encode(&self) -> Result<Vec<(&'static str, Vec<u8>)>, Failure> {
                Ok(vec![$(($name::KIND, crate::codec::encode(&self.$index)?)),*])
            }

            #[allow(unused_variables, clippy::unused_unit)]
            fn ids(records: &[ArtifactRecord]) -> Self::Ids {
                ($(Id::<$name>::new(records[$index].digest),)*)
            }
        }
    )*};
}

tuples!((), (A 0), (A 0, B 1), (A 0, B 1, C 2));
