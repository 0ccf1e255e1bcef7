//! Histograms of boosting: gradients and hessians summed by bin, a few lanes of bins at a time.
//!
//! A lane is a feature, or a bundle of features of which few combinations of bins occur, a cell each. A
//! bundle is taken apart once a node, which costs less than more additions for each row.
//! As many lanes as fit the innermost cache form a group, whose codes stand side by side in a row; the
//! additions of a group are unrolled, and a code of eight bits needs no check within a lane of 256.

mod bundle;

use rayon::prelude::*;

use crate::{
    binning::Column,
    packing::{Cell, Item, Steps},
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

/// Room for the words of a lane; a few more than codes, so that equal codes of neighbouring lanes do
/// not fall on addresses that differ by a page, which delays loads after stores.
type Lane<W> = [W; 260];

/// Where each feature's cells stand, and how rows are encoded for the pass.
pub(crate) struct Layout {
    /// The range of cells of each feature.
    ranges: Vec<(usize, usize)>,
    n_cells: usize,
    groups: Vec<Group>,
    steps: Steps,
}

struct Group {
    bundles: Vec<Bundle>,
    /// The range of cells of all its features.
    start: usize,
    end: usize,
    /// One code a bundle and case, row-major.
    codes: Vec<u8>,
}

/// Room to sum in, for each task.
#[derive(Default)]
pub(crate) struct Lanes(Vec<TaskLanes>);

#[derive(Default)]
struct TaskLanes {
    wide: Vec<Lane<Cell>>,
    narrow: Vec<Lane<i64>>,
    /// What a task that has only a part of the rows sums to.
    cells: Vec<Cell>,
}

impl Layout {
    /// Encodes cases (bins, column-major) for the pass.
    pub(crate) fn new(columns: &[Column], bins: &[u8], steps: Steps) -> Self {
        let n_cases = bins.len() / columns.len();
        let mut ranges = vec![(0, 0); columns.len()];
        let mut end = 0;
        let groups = group(bundles(columns, bins), steps.word_bytes())
            .into_iter()
            .map(|bundles| {
                let start = end;
                for feature in bundles.iter().flat_map(|bundle| &bundle.features) {
                    let feature = usize::from(*feature);
                    ranges[feature] = (end, end + columns[feature].n_bins());
                    end = ranges[feature].1;
                }
                let codes = encode(&bundles, bins, n_cases);
                Group {
                    bundles,
                    start,
                    end,
                    codes,
                }
            });
        Self {
            groups: groups.collect(),
            ranges,
            n_cells: end,
            steps,
        }
    }

    pub(crate) fn n_cells(&self) -> usize {
        self.n_cells
    }

    /// Returns the cells of one feature.
    pub(crate) fn cells<'a>(&self, histogram: &'a [Cell], feature: u16) -> &'a [i64] {
        let (start, end) = self.ranges[usize::from(feature)];
        histogram[start..end].as_flattened()
    }

    /// Sums items into a histogram; `wide` holds each case's cell unless items are narrow, `lanes` is
    /// room to work in.
    pub(crate) fn sum(
        &self,
        items: &[Item],
        wide: &[Cell],
        lanes: &mut Lanes,
        histogram: &mut [Cell],
    ) {
        let threads = self.threads(items.len());
        let parts = threads.div_ceil(self.groups.len());
        let n_tasks = self.groups.len() * parts;
        lanes.0.resize_with(n_tasks, TaskLanes::default);
        let tasks = self.groups.iter().zip(lanes.0.chunks_mut(parts));
        let tasks = tasks.zip(self.split_by_group(histogram));
        let run = |((group, lanes), cells): ((&Group, &mut [TaskLanes]), &mut [Cell])| {
            group.sum_parts(
                Summands {
                    items,
                    wide,
                    steps: self.steps,
                },
                lanes,
                cells,
            );
        };
        if threads == 1 {
            tasks.for_each(run);
        } else {
            let tasks: Vec<_> = tasks.collect();
            tasks.into_par_iter().with_max_len(1).for_each(run);
        }
    }

    fn threads(&self, n_items: usize) -> usize {
        let lanes: usize = self.groups.iter().map(|group| group.bundles.len()).sum();
        if n_items * lanes < PARALLEL_ADDITIONS {
            1
        } else {
            rayon::current_num_threads()
        }
    }

    fn split_by_group<'a>(
        &self,
        mut histogram: &'a mut [Cell],
    ) -> impl Iterator<Item = &'a mut [Cell]> {
        self.groups.iter().map(move |group| {
            let rest = std::mem::take(&mut histogram);
            let (cells, rest) = rest.split_at_mut(group.end - group.start);
            histogram = rest;
            cells
        })
    }
}

/// What is summed.
#[derive(Clone, Copy)]
struct Summands<'a> {
    items: &'a [Item],
    wide: &'a [Cell],
    steps: Steps,
}

impl Group {
    /// Sums parts of the items side by side; sums in whole numbers do not depend on the parts.
    fn sum_parts(&self, summands: Summands<'_>, lanes: &mut [TaskLanes], cells: &mut [Cell]) {
        cells.fill([0; 2]);
        let items = summands.items;
        let share = items.len().div_ceil(lanes.len()).max(1);
        let (first, others) = items.split_at(share.min(items.len()));
        let Some((lanes, other_lanes)) = lanes.split_first_mut() else {
            return;
        };
        let part = |items| Summands { items, ..summands };
        if others.is_empty() {
            return self.sum(part(first), lanes, cells);
        }
        rayon::join(
            || self.sum(part(first), lanes, cells),
            || {
                let parts = other_lanes.par_iter_mut().zip(others.par_chunks(share));
                parts.for_each(|(lanes, items)| {
                    let mut cells = std::mem::take(&mut lanes.cells);
                    cells.clear();
                    cells.resize(self.end - self.start, [0; 2]);
                    self.sum(part(items), lanes, &mut cells);
                    lanes.cells = cells;
                });
            },
        );
        for other in &other_lanes[..others.len().div_ceil(share)] {
            add(cells.as_flattened_mut(), other.cells.as_flattened());
        }
    }

    /// Adds items to cells.
    fn sum(&self, summands: Summands<'_>, lanes: &mut TaskLanes, cells: &mut [Cell]) {
        let Summands { items, wide, steps } = summands;
        if steps.is_narrow() {
            for items in items.chunks(Steps::NARROW_ITEMS) {
                self.sum_lanes(items, &mut lanes.narrow, Steps::word);
                self.take_apart(&lanes.narrow, |word| steps.widen(word), cells);
            }
        } else {
            self.sum_lanes(items, &mut lanes.wide, |item| wide[item.case as usize]);
            self.take_apart(&lanes.wide, |cell| cell, cells);
        }
    }

    fn sum_lanes<W: Word>(
        &self,
        items: &[Item],
        lanes: &mut Vec<Lane<W>>,
        word: impl Fn(Item) -> W,
    ) {
        lanes.resize(self.bundles.len(), [W::ZERO; 260]);
        for (lane, bundle) in lanes.iter_mut().zip(&self.bundles) {
            lane[..bundle.n_cells].fill(W::ZERO);
        }
        let codes = &self.codes[..];
        match lanes.len() {
            1 => sum_lanes::<1, W>(codes, items, lanes, word),
            2 => sum_lanes::<2, W>(codes, items, lanes, word),
            3 => sum_lanes::<3, W>(codes, items, lanes, word),
            4 => sum_lanes::<4, W>(codes, items, lanes, word),
            5 => sum_lanes::<5, W>(codes, items, lanes, word),
            6 => sum_lanes::<6, W>(codes, items, lanes, word),
            7 => sum_lanes::<7, W>(codes, items, lanes, word),
            8 => sum_lanes::<8, W>(codes, items, lanes, word),
            9 => sum_lanes::<9, W>(codes, items, lanes, word),
            10 => sum_lanes::<10, W>(codes, items, lanes, word),
            11 => sum_lanes::<11, W>(codes, items, lanes, word),
            12 => sum_lanes::<12, W>(codes, items, lanes, word),
            13 => sum_lanes::<13, W>(codes, items, lanes, word),
            14 => sum_lanes::<14, W>(codes, items, lanes, word),
            15 => sum_lanes::<15, W>(codes, items, lanes, word),
            _ => sum_lanes::<16, W>(codes, items, lanes, word),
        }
    }

    /// Adds what the lanes hold to the cells of their features.
    fn take_apart<W: Word>(
        &self,
        lanes: &[Lane<W>],
        widen: impl Fn(W) -> Cell,
        mut cells: &mut [Cell],
    ) {
        for (bundle, lane) in self.bundles.iter().zip(lanes) {
            let joint = &lane[..bundle.n_cells];
            for member in &bundle.members {
                let (own, rest) = std::mem::take(&mut cells).split_at_mut(member.n_bins);
                cells = rest;
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
trait Word: Copy + Send + Sync {
    const ZERO: Self;
    fn plus(self, other: Self) -> Self;
}

impl Word for i64 {
    const ZERO: Self = 0;

    #[inline(always)]
    fn plus(self, other: Self) -> Self {
        self + other
    }
}

impl Word for Cell {
    const ZERO: Self = [0; 2];

    #[inline(always)]
    fn plus(self, other: Self) -> Self {
        [self[0] + other[0], self[1] + other[1]]
    }
}

fn sum_lanes<const WIDTH: usize, W: Word>(
    codes: &[u8],
    items: &[Item],
    lanes: &mut [Lane<W>],
    word: impl Fn(Item) -> W,
) {
    let (codes, _) = codes.as_chunks::<WIDTH>();
    let Some((lanes, _)) = lanes.split_first_chunk_mut::<WIDTH>() else {
        return;
    };
    for item in items {
        let summand = word(*item);
        let codes = &codes[item.case as usize];
        for lane in 0..WIDTH {
            let sum = &mut lanes[lane][usize::from(codes[lane])];
            *sum = sum.plus(summand);
        }
    }
}

fn encode(bundles: &[Bundle], bins: &[u8], n_cases: usize) -> Vec<u8> {
    let width = bundles.len();
    let mut codes = vec![0; n_cases * width];
    let tasks = codes.par_chunks_mut(TASK_ROWS * width).enumerate();
    tasks.for_each(|(task, codes)| {
        let first = task * TASK_ROWS;
        for (lane, bundle) in bundles.iter().enumerate() {
            for (member, feature) in bundle.members.iter().zip(&bundle.features) {
                let column = &bins[usize::from(*feature) * n_cases + first..];
                let codes = codes[lane..].iter_mut().step_by(width);
                codes
                    .zip(column)
                    .for_each(|(code, bin)| *code = member.code(*code, *bin));
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
