//! What the registry's errors mean to those who are told: everybody without its inside, administrators with it.

use registry::RegistryError;

/// Why no model can be taken up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnosis {
    /// Whether there is nothing to be taken up yet, and nothing wrong.
    pub is_absence: bool,
    /// What everybody is told, as the end of a sentence: no names, no files.
    cause: String,
    /// What administrators are told: what is wrong with which file, and what to do.
    pub private: String,
}

impl Diagnosis {
    /// Explains why a look at the registry has found no model to serve.
    pub fn of(error: &RegistryError) -> Self {
        Self {
            is_absence: error.is_absence() && !is_choice(error),
            cause: absence(error),
            private: advised(error),
        }
    }

    /// Says to everybody why no model is loaded.
    pub fn without_model(&self) -> String {
        format!("no model is loaded{}", self.cause)
    }

    /// Says to everybody why a version goes on serving that is not the champion any more, or may not be.
    pub fn with_model(&self, version: u64) -> String {
        format!(
            "version {version} goes on serving, no other is taken up{}",
            self.cause
        )
    }

    /// Says that the registry has not answered since the start.
    pub fn unseen() -> Self {
        let cause = " yet: the registry has not answered so far, and is looked at again by itself";
        Self {
            is_absence: false,
            cause: cause.to_owned(),
            private: format!("no model is loaded{cause}"),
        }
    }
}

const LOG: &str =
    "the service's log and its page for administration say which file it is and what to do";

/// Says why there is no model, as the end of a sentence.
fn absence(error: &RegistryError) -> String {
    match error {
        _ if is_choice(error) => {
            " yet: the one to serve is not registered, others are: `--model` chooses one of them".to_owned()
        }
        RegistryError::NoModel { .. } => {
            " yet: `netsec run` trains one, and the service takes it up by itself".to_owned()
        }
        RegistryError::Vanished { .. } => {
            ": the registry does not show the model any more: it is away at present, or was emptied; it is looked at \
             again by itself"
                .to_owned()
        }
        RegistryError::NoneLeft { .. } => {
            ": the versions that there were are withdrawn, and the service takes up the next by itself".to_owned()
        }
        RegistryError::NoChampion { .. } => {
            " yet: none has been promoted, and the service takes up the first that is by itself".to_owned()
        }
        RegistryError::Damaged { key, .. } if is_of_history(key) => {
            format!(": the model's history in the registry is damaged; {LOG}")
        }
        RegistryError::Damaged { .. } | RegistryError::Codec { .. } => {
            format!(": a file of the champion in the registry is damaged or missing; {LOG}")
        }
        RegistryError::Blob(_) => {
            ": the registry cannot be read at present; it is looked at again by itself, and the service's log \
             says more"
                .to_owned()
        }
        _ => ": the champion was refused; the service's log and its page for administration say why".to_owned(),
    }
}

/// Returns whether there are models, but not the one that was asked for.
fn is_choice(error: &RegistryError) -> bool {
    matches!(error, RegistryError::NoModel { known, .. } if !known.is_empty())
}

/// Returns whether a key of the registry is one of a model's history, and not a blob's.
fn is_of_history(key: &str) -> bool {
    key.starts_with("models/")
}

/// Says to administrators what went wrong, and what to send about it; the registry itself advises those at a command
/// line.
pub fn advised(error: &RegistryError) -> String {
    match error {
        RegistryError::NoChampion {
            name,
            version,
            reasons,
        } => format!(
            "`{name}` has no champion: version {version} was declined ({reasons}); `POST /train` trains \
             another, `POST /models/{name}/promote` with `force` and `why` overrides"
        ),
        RegistryError::Declined {
            name,
            version,
            reasons,
        } => format!(
            "`{name}`: version {version} was declined ({reasons}); give `\"force\": true` and `why` to override"
        ),
        RegistryError::NothingToRollBack { name } => format!(
            "`{name}`: no champion before this one is left to roll back to; give `to` to return to a later one"
        ),
        RegistryError::NeverChampion { name, version } => format!(
            "`{name}`: version {version} has never been the champion: `POST /models/{name}/promote` makes it so"
        ),
        RegistryError::OtherEvaluation { evaluated, bundle } => format!(
            "the evaluation is of bundle {evaluated}, not of {bundle}: `POST /train` makes a version with its own"
        ),
        _ if is_choice(error) => {
            format!(
                "{error}: give one of them; which one is served is said with `--model` at the start"
            )
        }
        RegistryError::Codec { key, source, .. } => damaged(key, source),
        RegistryError::Damaged { key, reason, .. } => damaged(key, reason),
        _ => error.to_string(),
    }
}

/// Names a damaged file, and what brings it back: nothing can be done to a model whose history is not sound.
fn damaged(key: &str, reason: &dyn std::fmt::Display) -> String {
    let advice = if is_of_history(key) {
        "put this file back from a copy of the registry, or move it away where it does not belong there; \
         `netsec models list` names all such damage"
    } else {
        "put this file back from a copy of the registry, or serve another version: `POST \
         /models/{name}/rollback` with its number as `to`, or `POST /train`; `netsec models verify` names all damage"
    };
    format!("`{key}` in the registry {}; {advice}", said_of(reason))
}

/// Continues a sentence whose subject is a file, whatever its reason begins with.
fn said_of(reason: &dyn std::fmt::Display) -> String {
    let reason = reason.to_string();
    if ["is ", "holds "]
        .iter()
        .any(|verb| reason.starts_with(verb))
    {
        return reason;
    }
    format!("cannot be used: {reason}")
}
