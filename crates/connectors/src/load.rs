//! What loads are called where records lie under the name of their load.
//!
//! An append takes back, when it is refused, what lies under the name of its load. So that this is never what others
//! rely on, a replacement of the same records has another name, and an append that finds them under it goes on with
//! them there: what bears a replacement's name, no append takes back.

use artifact::Digest;

/// The names under which a load's records may lie.
#[derive(Debug, Clone, Default)]
pub(crate) struct LoadNames {
    /// That of the records, under which an append writes; earlier versions, a replacement as well.
    pub appended: String,
    /// Under which a replacement writes.
    pub replaced: String,
}

impl LoadNames {
    pub(crate) fn of(load: &str) -> Self {
        let digest = Digest::of(format!("replacement {load}").as_bytes()).to_string();
        Self {
            appended: load.to_owned(),
            // As long as the other: a column may have been made for that.
            replaced: digest[..load.len().min(digest.len())].to_owned(),
        }
    }
}

/// Returns whether so many records under an append's name, and so many under a replacement's, are those of the append a
/// second time: the replacement has come amid it, and is whole.
pub(crate) fn is_doubled(n_appended: u64, n_replaced: u64) -> bool {
    n_appended > 0 && n_replaced >= n_appended
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_names_fit_where_one_does_and_stay_what_they_are() {
        let names = LoadNames::of("aecb750397fd75f7");
        assert_eq!(names.appended, "aecb750397fd75f7");
        // Tables hold it: it must not change.
        assert_eq!(names.replaced, "b69a3e7524d585ba");
    }
}
