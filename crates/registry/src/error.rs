//! Why the registry or one of its stages fails.

use std::path::PathBuf;

use artifact::{Classified, CodecError, ErrorKind, StoreError, printable};
use model::ScoringError;
use thiserror::Error;

use crate::{BlobError, Seal};

/// Error of the registry and its stages.
#[derive(Debug, Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum RegistryError {
    #[error(transparent)]
    Blob(#[from] BlobError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("`{address}` is no place of a registry: give a directory or s3://BUCKET/PREFIX")]
    BadLocation { address: String },
    #[error(
        "registry at {location} keeps no run `{run}`: `netsec runs kept` lists those that it keeps"
    )]
    NoRun { location: String, run: String },
    #[error("{} is there already: `netsec verify` checks it", directory.display())]
    RunIsThere { directory: PathBuf },
    #[error("registry at {location}, `{key}`: {source}; {advice}")]
    Codec {
        location: String,
        key: String,
        source: CodecError,
        advice: String,
    },
    #[error("registry at {location}, `{}`: {}; {advice}", printable(.key), printable(.reason))]
    Damaged {
        location: String,
        key: String,
        reason: String,
        advice: String,
    },
    #[error("registry at {location}: {what} {seal}; {advice}")]
    Untrusted {
        location: String,
        /// A version of a model, or an entry of its history.
        what: String,
        seal: Seal,
        advice: String,
    },
    #[error(
        "registry at {location}: a decision counts where keys are trusted only when one of them has signed it: \
         `netsec models` promote, rollback, withdraw and disown sign with --signing-key (NETSEC_SIGNING_KEY)"
    )]
    Voiceless { location: String },
    #[error(
        "`{name}`: not signed, because nobody has signed an entry of the history about version {version} (entries: \
         {entries}); `netsec models sign {name} --version {version} --entry K` signs both, where K is one of your decisions"
    )]
    Undecided {
        name: String,
        version: u64,
        entries: String,
    },
    #[error(
        "`{name}`: what served then is not certain: {after}, but was made after the one that is of a later time: {before}; a \
         clock was wrong: `netsec models history {name}` lists all, in the order in which they were made"
    )]
    TwoClocks {
        name: String,
        before: String,
        after: String,
    },
    #[error("`{name}`: not signed, because {reasons}")]
    Unsignable { name: String, reasons: String },
    #[error(
        "--trusted-keys (NETSEC_TRUSTED_KEYS) is empty: name the file of the keys whose signatures count, or leave the \
         flag out and unset the variable where none are asked for"
    )]
    TrustsNobody,
    #[error("key file {path}: {reason}")]
    Key { path: String, reason: String },
    #[error("cannot write a `{kind}`: {source}")]
    Encoding {
        kind: &'static str,
        source: CodecError,
    },
    #[error(
        "`{}` is not a model's name: use at most 100 letters, digits, `-` and `_`, a letter or digit first",
        printable(.name)
    )]
    BadName { name: String },
    #[error("there is no model `{name}`; known: {}", known_names(.known))]
    NoModel { name: String, known: Vec<String> },
    #[error(
        "the registry does not show `{name}` any more: it is away at present, or was emptied; put it back before \
         anything is trained in its place"
    )]
    Vanished { name: String },
    #[error(
        "`{name}` has no champion: version {version} was declined ({reasons}); `netsec run` trains \
         another, `netsec models promote {name} --version {version} --force --why TEXT` overrides"
    )]
    NoChampion {
        name: String,
        version: u64,
        reasons: String,
    },
    #[error(
        "`{name}` has no champion: all that it had was withdrawn or does not count (`netsec models history {name}`); \
         `netsec run` trains another"
    )]
    NoneLeft { name: String },
    #[error(
        "`{name}`: version {version} was withdrawn ({why}), and does not come back: `netsec run` trains another"
    )]
    Withdrawn {
        name: String,
        version: u64,
        why: String,
    },
    #[error(
        "`{name}`: no decision on version {version} counts, by entry {by} ({why}): `netsec run` trains it again"
    )]
    Undone {
        name: String,
        version: u64,
        by: u64,
        why: String,
    },
    #[error(
        "`{name}`: version {version} is the champion: `netsec models rollback {name}` first; where version {former}, to \
         which that goes back, cannot be loaded, `netsec models withdraw {name} --version {former} --why TEXT` first"
    )]
    Serving {
        name: String,
        version: u64,
        former: u64,
    },
    #[error("`{name}` has no entry {entry} in its history, which has {entries}")]
    NoEntry {
        name: String,
        entry: u64,
        entries: usize,
    },
    #[error("`{name}`: {title} {what}")]
    NotDisowned {
        name: String,
        title: String,
        what: String,
    },
    #[error("`{name}` has no version {version}; it has {known}")]
    NoVersion {
        name: String,
        version: u64,
        known: String,
    },
    #[error("`{name}`: version {version} is the champion already")]
    AlreadyChampion { name: String, version: u64 },
    #[error(
        "`{name}`: no champion before this one is left to roll back to; give --to VERSION to return to a later one"
    )]
    NothingToRollBack { name: String },
    #[error(
        "`{name}`: version {version} has never been the champion: `netsec models promote` makes it so"
    )]
    NeverChampion { name: String, version: u64 },
    #[error(
        "the evaluation is of bundle {evaluated}, not of {bundle}: run the stage `evaluation` again"
    )]
    OtherEvaluation { evaluated: String, bundle: String },
    #[error(
        "`{name}`: version {version} does not answer as it did when it was evaluated: {reason}"
    )]
    Canary {
        name: String,
        version: u64,
        reason: String,
    },
    #[error(
        "`{name}`: version {version} was declined ({reasons}); give --force --why TEXT to override"
    )]
    Declined {
        name: String,
        version: u64,
        reasons: String,
    },
    #[error(
        "`{name}`: somebody else has decided on version {version} meanwhile: look at `netsec models history {name}`, \
         and promote it again"
    )]
    Redecided { name: String, version: u64 },
    #[error("`{name}`: another process changed the registry {attempts} times meanwhile; try again")]
    Contended { name: String, attempts: u32 },
    #[error("the digest of the bundle to be evaluated is not known: execute the stage in a run")]
    UnknownBundle,
    #[error("the holdout has no rows")]
    EmptyHoldout,
    #[error(transparent)]
    Scoring(#[from] ScoringError),
    #[error("evaluation.resamples is {n}: use 0 (no intervals) or 100 to 100,000")]
    Resamples { n: u32 },
    #[error("promotion.margin is {margin}: use a difference of PR AUC from 0 to 1, such as 0.005")]
    Margin { margin: f64 },
}

impl Classified for RegistryError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Blob(error) => error.kind(),
            Self::Store(error) => error.kind(),
            Self::Codec { .. }
            | Self::Damaged { .. }
            | Self::Encoding { .. }
            | Self::Canary { .. }
            | Self::UnknownBundle => ErrorKind::Internal,
            Self::BadLocation { .. }
            | Self::NoRun { .. }
            | Self::RunIsThere { .. }
            | Self::BadName { .. }
            | Self::NoModel { .. }
            | Self::NoVersion { .. }
            | Self::NoEntry { .. }
            | Self::NotDisowned { .. }
            | Self::TrustsNobody
            | Self::Serving { .. }
            | Self::AlreadyChampion { .. }
            | Self::NothingToRollBack { .. }
            | Self::NeverChampion { .. }
            | Self::Voiceless { .. }
            | Self::OtherEvaluation { .. } => ErrorKind::Usage,
            Self::NoChampion { .. }
            | Self::NoneLeft { .. }
            | Self::Vanished { .. }
            | Self::Contended { .. }
            | Self::Redecided { .. } => ErrorKind::Unavailable,
            Self::Declined { .. }
            | Self::Withdrawn { .. }
            | Self::Undone { .. }
            | Self::EmptyHoldout
            | Self::Untrusted { .. }
            | Self::Undecided { .. }
            | Self::TwoClocks { .. }
            | Self::Unsignable { .. } => ErrorKind::Rejected,
            Self::Scoring(error) => error.kind(),
            Self::Resamples { .. } | Self::Margin { .. } | Self::Key { .. } => ErrorKind::Config,
        }
    }
}

fn known_names(names: &[String]) -> String {
    match names {
        [] => "none yet, `netsec run` trains one".to_owned(),
        names => printable(&names.join(", ")).to_string(),
    }
}
