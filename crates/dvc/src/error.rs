//! Why something was not put under DVC.

use std::path::PathBuf;

use artifact::{Classified, ErrorKind, StoreError};
use thiserror::Error;

/// Why something was not put under DVC.
#[derive(Debug, Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum DvcError {
    #[error(
        "{} is in no DVC repository: run `dvc init` there, or give --init",
        .0.display()
    )]
    NoRepository(PathBuf),
    #[error("{} is outside of the DVC repository {}", path.display(), root.display())]
    Outside { path: PathBuf, root: PathBuf },
    #[error("{}: {reason}", path.display())]
    Setting { path: PathBuf, reason: String },
    #[error(
        "another process works in the DVC repository {at}: wait for it, and call this again; where none does and \
         core.hardlink_lock is set, one was killed: remove {at}/.dvc/tmp/lock",
        at = .0.display()
    )]
    Busy(PathBuf),
    #[error(
        "{}{} there already with other content: --force replaces {}, --to takes another directory",
        list(.0),
        if .0.len() == 1 { " is" } else { " are" },
        if .0.len() == 1 { "it" } else { "them" }
    )]
    Exists(Vec<PathBuf>),
    #[error(
        "{} describes {what} of others: take a directory of its own with --to",
        path.display()
    )]
    Foreign { path: PathBuf, what: String },
    #[error("{}: DVC takes no name that is not UTF-8: rename it", .0.display())]
    Name(PathBuf),
    #[error("{} is neither a file nor a directory: take it away", .0.display())]
    Special(PathBuf),
    #[error("{} lies within what is to be versioned, where DVC takes none: move it to a directory above", .0.display())]
    IgnoreFile(PathBuf),
    #[error("{} is ignored by a .dvcignore: DVC would not find it", .0.display())]
    Ignored(PathBuf),
    #[error("{} holds the repository itself: name what lies within it", .0.display())]
    Whole(PathBuf),
    #[error("{} is tracked by Git: `git rm -r --cached` it first, so that DVC may", .0.display())]
    InGit(PathBuf),
    #[error(
        "{} overlaps with what {} puts under DVC: take the whole, or `dvc remove` that first",
        path.display(),
        by.display()
    )]
    Overlap { path: PathBuf, by: PathBuf },
    #[error("{} changed while it was read: call this again when nothing writes to it", .0.display())]
    Changed(PathBuf),
    #[error("none of the links of `cache.type` ({tried}) can be made for {}: {reason}", path.display())]
    Link {
        path: PathBuf,
        tried: String,
        reason: String,
    },
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Classified for DvcError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Store(error) => error.kind(),
            Self::Busy(_) | Self::Changed(_) | Self::Link { .. } => ErrorKind::Unavailable,
            Self::Setting { .. } => ErrorKind::Config,
            _ => ErrorKind::Usage,
        }
    }
}

/// Names a few of many paths.
fn list(paths: &[PathBuf]) -> String {
    let shown: Vec<String> = paths
        .iter()
        .take(3)
        .map(|p| p.display().to_string())
        .collect();
    match paths.len().saturating_sub(shown.len()) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}
