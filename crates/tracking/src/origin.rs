//! Who made a run and from which commit, which its directory does not say.

use std::process::{Command, Stdio};

use serde::{Deserialize, Serialize};

/// Who and from where.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Origin {
    /// Name of the user.
    pub user: Option<String>,
    /// Commit of the working directory, as Git names it.
    pub commit: Option<String>,
    /// Why the run ended early, if it did.
    pub failure: Option<String>,
    /// The experiment that was asked for then, instead of the data set's: whoever sends the run later may ask for another
    /// one, and it would be there twice.
    pub experiment: Option<String>,
}

impl Origin {
    /// Looks it up: now, since it cannot be found later.
    pub fn of_environment(failure: Option<String>) -> Self {
        Self {
            user: variable("USER").or_else(|| variable("LOGNAME")),
            commit: commit(),
            failure,
            ..Self::asked_for()
        }
    }

    /// Says which experiment is asked for now, and nothing else.
    pub fn asked_for() -> Self {
        Self {
            experiment: variable("MLFLOW_EXPERIMENT_NAME"),
            ..Self::default()
        }
    }
}

fn variable(name: &str) -> Option<String> {
    let text = std::env::var(name).ok();
    text.filter(|text| !text.trim().is_empty())
}

fn commit() -> Option<String> {
    let mut git = Command::new("git");
    git.args(["rev-parse", "--verify", "--quiet", "HEAD"]);
    let output = git
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    Some(text.trim().to_owned()).filter(|commit| output.status.success() && !commit.is_empty())
}
