//! Features that share a lane: their bins together take few combinations.
//!
//! LightGBM bundles features that are rarely different from zero at once (Ke et al. 2017); counting the
//! combinations that occur covers that and correlated features as well.

use crate::binning::Column;

/// The most combinations of a bundle, a code each.
const MOST_CODES: usize = 256;
/// Cases for each code of a bundle: with fewer, taking it apart costs more than it spares.
const CASES_PER_CODE: usize = 160;
/// Bundles that a feature is tried in.
const MOST_OPEN: usize = 8;
/// The place of a combination that does not occur.
const NONE: u16 = u16::MAX;

/// One or several features in one lane.
pub(super) struct Bundle {
    pub(super) features: Vec<u16>,
    pub(super) members: Vec<Member>,
    /// The number of codes.
    pub(super) n_cells: usize,
}

/// One feature of a bundle.
pub(super) struct Member {
    pub(super) n_bins: usize,
    /// The feature's bin in each of the bundle's codes; empty where the code is the bin.
    pub(super) bin_of_code: Vec<u8>,
    /// The code of the features so far and this one, by the code so far and the bin; empty for the first.
    joined: Vec<u8>,
}

impl Member {
    /// Returns the code of the features up to this one.
    #[inline]
    pub(super) fn code(&self, code: u8, bin: u8) -> u8 {
        match self
            .joined
            .get(usize::from(code) * self.n_bins + usize::from(bin))
        {
            Some(joined) => *joined,
            None => bin,
        }
    }
}

/// A bundle that may still take features.
struct Open {
    bundle: Bundle,
    /// The code of each case.
    codes: Vec<u8>,
}

/// Puts the features of cases (bins, column-major) into bundles.
pub(super) fn bundles(columns: &[Column], bins: &[u8]) -> Vec<Bundle> {
    let n_cases = bins.len() / columns.len();
    let most = (n_cases / CASES_PER_CODE).clamp(32, MOST_CODES);
    let mut done = Vec::new();
    let mut open: Vec<Open> = Vec::new();
    for (feature, column) in columns.iter().enumerate() {
        let bins = &bins[feature * n_cases..][..n_cases];
        let alone = Bundle::alone(feature as u16, column.n_bins());
        if column.n_bins() > most / 2 {
            done.push(alone);
            continue;
        }
        let joined = open
            .iter_mut()
            .any(|open| open.join(feature as u16, column.n_bins(), bins, most));
        if !joined {
            if open.len() == MOST_OPEN {
                done.push(open.remove(0).bundle);
            }
            let codes = bins.to_vec();
            open.push(Open {
                bundle: alone,
                codes,
            });
        }
    }
    done.extend(open.into_iter().map(|open| open.bundle));
    done
}

impl Bundle {
    fn alone(feature: u16, n_bins: usize) -> Self {
        Self {
            features: vec![feature],
            members: vec![Member {
                n_bins,
                bin_of_code: (0..n_bins).map(|bin| bin as u8).collect(),
                joined: Vec::new(),
            }],
            n_cells: n_bins,
        }
    }
}

impl Open {
    /// Takes a feature in, unless more than `most` combinations would occur.
    fn join(&mut self, feature: u16, n_bins: usize, bins: &[u8], most: usize) -> bool {
        let mut code_of = vec![NONE; self.bundle.n_cells * n_bins];
        let mut occurring: Vec<(u8, u8)> = Vec::new();
        for (code, bin) in self.codes.iter().zip(bins) {
            let joint = &mut code_of[usize::from(*code) * n_bins + usize::from(*bin)];
            if *joint == NONE {
                if occurring.len() == most {
                    return false;
                }
                *joint = occurring.len() as u16;
                occurring.push((*code, *bin));
            }
        }
        for member in &mut self.bundle.members {
            let of_old = |(code, _): &(u8, u8)| member.bin_of_code[usize::from(*code)];
            member.bin_of_code = occurring.iter().map(of_old).collect();
        }
        let member = Member {
            n_bins,
            bin_of_code: occurring.iter().map(|(_, bin)| *bin).collect(),
            joined: code_of.iter().map(|code| *code as u8).collect(),
        };
        for (code, bin) in self.codes.iter_mut().zip(bins) {
            *code = member.code(*code, *bin);
        }
        self.bundle.features.push(feature);
        self.bundle.members.push(member);
        self.bundle.n_cells = occurring.len();
        true
    }
}
