//! Simulated data: recipes of fitted statistics, the fitting of them, and the source that draws rows.
//!
//! Owns the recipe format, the embedded recipes and the generator behind `synth://` URIs.
//! Must not know stages, models, file formats or the command line.

mod error;
mod fit;
mod recipe;
mod source;
mod uri;

pub use error::SynthError;
pub use fit::FitOptions;
pub use recipe::{
    Column, Component, Conflicts, Interval, Levels, Link, Pool, Recipe, Repeats, Weights, names,
};
pub use source::SynthSource;
pub use uri::{DEFAULT_SEED, SynthUri, parse_uri};
