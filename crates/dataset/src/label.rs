//! Labels: benign, or a threat of some family; never a bare number.

use serde::{Deserialize, Serialize};

/// The class of a row. Class 0 is always benign; every other class is a threat.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Label(u16);

impl Label {
    /// Harmless.
    pub const BENIGN: Self = Self(0);

    /// Makes the label of a threat of the given family, counted from 0.
    pub fn threat(family: u16) -> Self {
        Self(family + 1)
    }

    /// Returns whether it is a threat.
    pub fn is_threat(self) -> bool {
        self.0 != 0
    }

    /// Returns the index of the class: 0 benign, 1 + family otherwise.
    pub fn class(self) -> usize {
        usize::from(self.0)
    }

    /// Makes the label of a class index.
    pub fn from_class(class: usize) -> Self {
        Self(u16::try_from(class).expect("schemas allow at most 1000 families"))
    }
}

/// The names of the classes, benign first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClassNames(Vec<String>);

impl ClassNames {
    /// Makes the names; the first one is benign.
    pub fn new(names: impl IntoIterator<Item = String>) -> Self {
        Self(names.into_iter().collect())
    }

    /// Returns the number of classes.
    #[expect(
        clippy::len_without_is_empty,
        reason = "a schema has at least two classes"
    )]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns the name of a label.
    pub fn name(&self, label: Label) -> &str {
        &self.0[label.class()]
    }

    /// Returns all names, benign first.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}
