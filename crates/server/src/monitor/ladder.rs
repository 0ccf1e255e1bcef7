//! Profiles merged pairwise, so that the error of their sketches grows with the logarithm of their number.

use dataset::profile::Profile;

/// Merged profiles, each step of as many parts as all steps below together and one more.
#[derive(Debug, Default)]
pub struct Ladder {
    steps: Vec<Option<Profile>>,
}

impl Ladder {
    /// Adds a profile, under the schema of all others.
    pub fn push(&mut self, profile: Profile) {
        let mut carried = profile;
        for step in &mut self.steps {
            let Some(own) = step.take() else {
                *step = Some(carried);
                return;
            };
            carried = merge(&own, carried);
        }
        self.steps.push(Some(carried));
    }

    /// Returns the profile of everything.
    pub fn profile(&self) -> Option<Profile> {
        let mut steps = self.steps.iter().flatten();
        let first = steps.next()?.clone();
        Some(steps.fold(first, |all, step| merge(step, all)))
    }
}

fn merge(left: &Profile, right: Profile) -> Profile {
    // Profiles under one schema merge; if they did not, the newer one would say more.
    left.merge(&right).unwrap_or(right)
}
