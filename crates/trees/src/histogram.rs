//! Histograms of boosting: gradients and hessians summed by bin, a few lanes of bins at a time.
//!
//! A lane is a feature, or a bundle of features of which few combinations of bins occur, a cell each. A
//! bundle is taken apart once a node, which costs less than more additions for each row. As many lanes as
//! fit the innermost cache form a group, whose codes stand side by side in a row; the additions of a group
//! are unrolled, and a code of eight bits needs no check within a lane of 256.

mod bundle;

use rayon::prelude::*;

use crate::{
    binning::Column,
    packing::{Cell, Item, Steps, Word},
    split::add,
};
use bundle::{Bundle, bundles};

/// The most bytes of occupied cells of a group of lanes.
const GROUP_BYTES: usize = 36 << 10;
const GROUP_LANES: usize = 16;
/// Additions below which threads cost more than they spare.
const PARALLEL_ADDITIONS: usize = 1 << 17;
/// Rows whose codes are written by one task.
const TASK_ROWS: usize = 1 << 14;
/// The codes of a case in one group.
type Block = [u8; GROUP_LANES];

/// Room for the words of a lane; a few more than codes, so that equal codes of neighbouring lanes do
/// not fall on addresses that differ by a page, which delays loads after stores.
type Lane<S> = [S; 260];

/// Where each feature's cells stand, and how rows are encoded for the pass.
pub(crate) struct Layout {
    /// The range of cells of each feature.
    ranges: Vec<(usize, usize)>,
    n_cells: usize,
    groups: Vec<Group>,
    /// A block for each group, for each case.
    codes: Vec<Block>,
    steps: Steps,
}

/// The lanes that hold the features of a tree, by group; the others are not summed.
#[derive(Clone, Default)]
pub(crate) struct Chosen(Vec<Vec<u8>>);

struct Group {
    bundles: Vec<Bundle>,
    /// The range of cells of all its features.
    start: usize,
    end: usize,
}

/// Room to sum in, for each task.
#[derive(Default)]
pub(crate) struct Lanes<W>(Vec<TaskLanes<W>>);

#[derive(Default)]
struct TaskLanes<W> {
    wide: Vec<Lane<Cell<W>>>,
    narrow: Vec<Lane<i64>>,
    codes: Vec<Block>,
    /// What a task that has only a part of the rows sums to.
    cells: Vec<Cell<W>>,
}

impl Layout {
    /// Encodes cases (bins, column-major) for the pass.
    pub(crate) fn new<W: Word>(columns: &[Column], bins: &[u8], steps: Steps) -> Self {
        let n_cases = bins.len() / columns.len();
        let mut ranges = vec![(0, 0); columns.len()];
        let mut end = 0;
        let groups = group(bundles(columns, bins), steps.sum_bytes::<W>()).into_iter();
        let groups = groups.map(|bundles| {
            let start = end;
            for feature in bundles.iter().flat_map(|bundle| &bundle.features) {
                let feature = usize::from(*feature);
                ranges[feature] = (end, end + columns[feature].n_bins());
                end = ranges[feature].1;
            }
            Group {
                bundles,
                start,
                end,
            }
        });
        let groups: Vec<Group> = groups.collect();
        Self {
            codes: encode(&groups, bins, n_cases),
            groups,
            ranges,
            n_cells: end,
            steps,
        }
    }

    pub(crate) fn n_cells(&self) -> usize {
        self.n_cells
    }

    /// Returns the cells of one feature.
    pub(crate) fn cells<'a, W>(&self, histogram: &'a [Cell<W>], feature: u16) -> &'a [W] {
        let (start, end) = self.ranges[usize::from(feature)];
        histogram[start..end].as_flattened()
    }

    /// Finds the lanes of some features.
    pub(crate) fn choose(&self, features: &[u16]) -> Chosen {
        let is_drawn = |feature: &u16| features.binary_search(feature).is_ok();
        let of_group = |group: &Group| {
            let lanes = group.bundles.iter().enumerate();
            let drawn = lanes.filter(|(_, bundle)| bundle.features.iter().any(is_drawn));
            drawn.map(|(lane, _)| lane as u8).collect()
        };
        Chosen(self.groups.iter().map(of_group).collect())
    }

    /// Sums items into the chosen lanes' cells of a histogram, and leaves the others zero; `wide` holds
    /// each case's cell unless items are narrow, `lanes` is room to work in.
    ///
    /// Parts of the items are summed side by side; sums in whole numbers do not depend on the parts.
    pub(crate) fn sum<W: Word>(
        &self,
        items: &[Item],
        chosen: &Chosen,
        wide: &[Cell<W>],
        lanes: &mut Lanes<W>,
        histogram: &mut [Cell<W>],
    ) {
        histogram.fill(Cell::default());
        let n_parts = n_parts(items.len(), chosen);
        let lanes = &mut lanes.0;
        lanes.resize_with(lanes.len().max(n_parts), TaskLanes::default);
        if n_parts == 1 {
            return self.sum_part(items, chosen, wide, &mut lanes[0], histogram);
        }
        let share = items.len().div_ceil(n_parts);
        let parts = items.par_chunks(share).zip(lanes.par_iter_mut());
        parts.with_max_len(1).for_each(|(items, lanes)| {
            let mut cells = std::mem::take(&mut lanes.cells);
            cells.clear();
            cells.resize(self.n_cells, Cell::default());
            self.sum_part(items, chosen, wide, lanes, &mut cells);
            lanes.cells = cells;
        });
        for part in &lanes[..items.len().div_ceil(share)] {
            add(histogram.as_flattened_mut(), part.cells.as_flattened());
        }
    }

    /// Adds items to cells, chunk by chunk: a chunk's codes serve all groups while they are near.
    fn sum_part<W: Word>(
        &self,
        items: &[Item],
        chosen: &Chosen,
        wide: &[Cell<W>],
        lanes: &mut TaskLanes<W>,
        cells: &mut [Cell<W>],
    ) {
        let groups = || self.groups.iter().zip(&chosen.0).enumerate();
        let n_groups = self.groups.len();
        if !self.steps.is_narrow() {
            for (at, (group, chosen)) in groups() {
                let cells = &mut cells[group.start..group.end];
                let all = &self.codes[at..];
                let codes = move |_, item: Item| &all[item.case as usize * n_groups];
                let cell = move |item: Item| wide[item.case as usize];
                group.sum_lanes(items, chosen, codes, &mut lanes.wide, cell);
                group.take_apart(&lanes.wide, chosen, |cell| cell, cells);
            }
            return;
        }
        for items in items.chunks(Steps::NARROW_ITEMS) {
            let codes = self.codes_of(items, &mut lanes.codes);
            for (at, (group, chosen)) in groups() {
                let cells = &mut cells[group.start..group.end];
                let codes = move |i: usize, _| &codes[i * n_groups + at];
                group.sum_lanes(items, chosen, codes, &mut lanes.narrow, Steps::word);
                group.take_apart(&lanes.narrow, chosen, |word| self.steps.widen(word), cells);
            }
        }
    }

    /// Returns the codes of items in their order, gathered into `room` unless they stand so: a loop that
    /// only loads waits for the memory of many rows at once.
    fn codes_of<'a>(&'a self, items: &[Item], room: &'a mut Vec<Block>) -> &'a [Block] {
        let n_groups = self.groups.len();
        let first = items[0].case as usize;
        if items[items.len() - 1].case as usize - first + 1 == items.len() {
            return &self.codes[first * n_groups..];
        }
        room.resize(items.len() * n_groups, [0; GROUP_LANES]);
        match n_groups {
            1 => gather::<1>(&self.codes, items, room),
            2 => gather::<2>(&self.codes, items, room),
            3 => gather::<3>(&self.codes, items, room),
            4 => gather::<4>(&self.codes, items, room),
            _ => {
                for (to, item) in room.chunks_exact_mut(n_groups).zip(items) {
                    let at = item.case as usize * n_groups;
                    to.copy_from_slice(&self.codes[at..at + n_groups]);
                }
            }
        }
        room
    }
}

/// Copies the blocks of items; of a known number, without a call for each.
fn gather<const N: usize>(codes: &[Block], items: &[Item], room: &mut [Block]) {
    let (codes, _) = codes.as_chunks::<N>();
    let (room, _) = room.as_chunks_mut::<N>();
    for (to, item) in room.iter_mut().zip(items) {
        *to = codes[item.case as usize];
    }
}

fn n_parts(n_items: usize, chosen: &Chosen) -> usize {
    let lanes: usize = chosen.0.iter().map(Vec::len).sum();
    let worthwhile = n_items * lanes / PARALLEL_ADDITIONS;
    worthwhile.clamp(1, rayon::current_num_threads())
}

impl Group {
    /// Sums items into a lane for each chosen one; `codes` finds those of the i-th item.
    fn sum_lanes<'a, S: LaneSum>(
        &self,
        items: &[Item],
        chosen: &[u8],
        codes: impl Fn(usize, Item) -> &'a Block,
        lanes: &mut Vec<Lane<S>>,
        word: impl Fn(Item) -> S,
    ) {
        lanes.resize(lanes.len().max(chosen.len()), [S::default(); 260]);
        for (lane, of_bundle) in lanes.iter_mut().zip(chosen) {
            lane[..self.bundles[usize::from(*of_bundle)].n_cells].fill(S::default());
        }
        macro_rules! of_width {
            ($($width:literal)*) => {
                match (chosen.len(), chosen.len() == self.bundles.len()) {
                    $(
                        ($width, true) => sum_all::<$width, S>(codes, items, lanes, word),
                        ($width, false) => sum_chosen::<$width, S>(codes, chosen, items, lanes, word),
                    )*
                    _ => {}
                }
            };
        }
        of_width!(1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16);
    }

    /// Adds what the chosen lanes hold to the cells of their features.
    fn take_apart<S: LaneSum, W: Word>(
        &self,
        lanes: &[Lane<S>],
        chosen: &[u8],
        widen: impl Fn(S) -> Cell<W>,
        mut cells: &mut [Cell<W>],
    ) {
        let mut lanes = lanes.iter().zip(chosen).peekable();
        for (at, bundle) in self.bundles.iter().enumerate() {
            let lane = lanes.next_if(|(_, chosen)| usize::from(**chosen) == at);
            let joint = lane.map(|(lane, _)| &lane[..bundle.n_cells]);
            for member in &bundle.members {
                let (own, rest) = std::mem::take(&mut cells).split_at_mut(member.n_bins);
                cells = rest;
                let Some(joint) = joint else {
                    continue;
                };
                if bundle.members.len() == 1 {
                    let pairs = own.iter_mut().zip(joint);
                    pairs.for_each(|(cell, word)| add(cell, &widen(*word)));
                    continue;
                }
                for (bin, word) in member.bin_of_code.iter().zip(joint) {
                    add(&mut own[usize::from(*bin)], &widen(*word));
                }
            }
        }
    }
}

/// What a lane sums in.
trait LaneSum: Copy + Default {
    fn plus(self, other: Self) -> Self;
}

impl LaneSum for i64 {
    #[inline(always)]
    fn plus(self, other: Self) -> Self {
        self + other
    }
}

impl<W: Word> LaneSum for Cell<W> {
    #[inline(always)]
    fn plus(self, other: Self) -> Self {
        [self[0] + other[0], self[1] + other[1]]
    }
}

fn sum_all<'a, const WIDTH: usize, S: LaneSum>(
    codes: impl Fn(usize, Item) -> &'a Block,
    items: &[Item],
    lanes: &mut [Lane<S>],
    word: impl Fn(Item) -> S,
) {
    let Some((lanes, _)) = lanes.split_first_chunk_mut::<WIDTH>() else {
        return;
    };
    for (i, item) in items.iter().enumerate() {
        let summand = word(*item);
        let codes = codes(i, *item);
        for lane in 0..WIDTH {
            let sum = &mut lanes[lane][usize::from(codes[lane])];
            *sum = sum.plus(summand);
        }
    }
}

/// As [`sum_all`], but for the places of some codes only, which costs a load for each addition.
fn sum_chosen<'a, const WIDTH: usize, S: LaneSum>(
    codes: impl Fn(usize, Item) -> &'a Block,
    chosen: &[u8],
    items: &[Item],
    lanes: &mut [Lane<S>],
    word: impl Fn(Item) -> S,
) {
    let Some((lanes, _)) = lanes.split_first_chunk_mut::<WIDTH>() else {
        return;
    };
    let mut places = [0; WIDTH];
    for (place, lane) in places.iter_mut().zip(chosen) {
        *place = usize::from(*lane) % GROUP_LANES;
    }
    for (i, item) in items.iter().enumerate() {
        let summand = word(*item);
        let codes = codes(i, *item);
        for lane in 0..WIDTH {
            let sum = &mut lanes[lane][usize::from(codes[places[lane] % GROUP_LANES])];
            *sum = sum.plus(summand);
        }
    }
}

fn encode(groups: &[Group], bins: &[u8], n_cases: usize) -> Vec<Block> {
    let n_groups = groups.len();
    let mut codes = vec![[0; GROUP_LANES]; n_cases * n_groups];
    let tasks = codes.par_chunks_mut(TASK_ROWS * n_groups).enumerate();
    tasks.for_each(|(task, codes)| {
        let first = task * TASK_ROWS;
        for (at, group) in groups.iter().enumerate() {
            for (lane, bundle) in group.bundles.iter().enumerate() {
                for (member, feature) in bundle.members.iter().zip(&bundle.features) {
                    let column = &bins[usize::from(*feature) * n_cases + first..];
                    let blocks = codes[at..].iter_mut().step_by(n_groups);
                    blocks.zip(column).for_each(|(block, bin)| {
                        block[lane] = member.code(block[lane], *bin);
                    });
                }
            }
        }
    });
    codes
}

/// Puts bundles into groups of about equally many lanes that fit the innermost cache.
fn group(bundles: Vec<Bundle>, word_bytes: usize) -> Vec<Vec<Bundle>> {
    let total: usize = bundles.iter().map(|bundle| bundle.n_cells).sum();
    let by_cells = (total * word_bytes).div_ceil(GROUP_BYTES);
    let n_groups = by_cells.max(bundles.len().div_ceil(GROUP_LANES));
    let lanes = bundles.len().div_ceil(n_groups);
    let mut bundles = bundles.into_iter().peekable();
    std::iter::from_fn(|| {
        bundles.peek()?;
        Some(bundles.by_ref().take(lanes).collect())
    })
    .collect()
}

#[cfg(test)]
mod tests;
