//! `synth://NAME?rows=N&seed=S`: the address of simulated data.

use artifact::yaml::nearest;
use dataset::MAX_ROWS;

use crate::recipe::{self, Recipe};
use crate::{SynthError, SynthSource};

/// The seed of a URI that names none.
pub const DEFAULT_SEED: u64 = 1;

const SCHEME: &str = "synth://";
const KEYS: [&str; 2] = ["rows", "seed"];

/// A parsed `synth://` URI.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SynthUri {
    /// Name of an embedded recipe.
    pub name: String,
    /// Rows to draw; as many as the recipe was fitted on when none are given.
    pub rows: Option<u64>,
    /// Seed; [`DEFAULT_SEED`] when none is given.
    pub seed: Option<u64>,
}

/// Opens the source that a `synth://` URI names.
///
/// # Errors
/// [`SynthError::Uri`] for a malformed URI or an unknown key, [`SynthError::UnknownRecipe`] for an
/// unknown name; both list what is known.
pub fn parse_uri(uri: &str) -> Result<SynthSource, SynthError> {
    SynthUri::parse(uri)?.open()
}

impl SynthUri {
    /// Parses a URI.
    ///
    /// # Errors
    /// [`SynthError::Uri`]; whether the name is known is only seen by [`SynthUri::open`].
    pub fn parse(uri: &str) -> Result<Self, SynthError> {
        Self::parse_parts(uri).map_err(|problem| SynthError::Uri {
            uri: uri.to_owned(),
            problem,
            known: recipe::known(),
        })
    }

    /// Opens the source.
    ///
    /// # Errors
    /// [`SynthError::UnknownRecipe`].
    pub fn open(&self) -> Result<SynthSource, SynthError> {
        let recipe = Recipe::embedded(&self.name)?;
        let rows = self.rows.unwrap_or(recipe.n_rows());
        SynthSource::new(recipe, rows, self.seed.unwrap_or(DEFAULT_SEED))
    }

    fn parse_parts(uri: &str) -> Result<Self, String> {
        let rest = uri
            .strip_prefix(SCHEME)
            .ok_or_else(|| format!("does not begin with {SCHEME}"))?;
        let (name, query) = rest.split_once('?').unwrap_or((rest, ""));
        let mut parsed = Self {
            name: name.trim_end_matches('/').to_owned(),
            rows: None,
            seed: None,
        };
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            let place = match key {
                "rows" => &mut parsed.rows,
                "seed" => &mut parsed.seed,
                _ => return Err(unknown_key(key)),
            };
            let number = value.parse().ok();
            let number = number.ok_or_else(|| format!("`{key}={value}` is not a whole number"))?;
            if place.replace(number).is_some() {
                return Err(format!("`{key}` is given twice"));
            }
        }
        match parsed.rows {
            Some(0) => Err("`rows` must be at least 1".to_owned()),
            Some(n) if n > MAX_ROWS => Err(format!("`rows={n}`: a run holds at most {MAX_ROWS}")),
            _ => Ok(parsed),
        }
    }
}

fn unknown_key(key: &str) -> String {
    let known = KEYS.join(", ");
    match nearest(key, KEYS) {
        Some(near) => format!("unknown key `{key}`, did you mean `{near}`? (known: {known})"),
        None => format!("unknown key `{key}` (known: {known})"),
    }
}

#[cfg(test)]
mod tests;
