//! A column of texts, read as far as they fit into memory: what a file repeats takes no room in it.

use std::vec;

use dataset::TextColumn;
use parquet::data_type::ByteArray;

use crate::RECORD_BYTES;

/// Texts that are read and not given yet.
#[derive(Default)]
pub(super) struct Texts {
    cells: TextColumn,
    /// Rows of `cells` whose text is not UTF-8.
    unread: Vec<usize>,
    /// What follows, in the memory of its pages.
    ahead: vec::IntoIter<Option<ByteArray>>,
    step: usize,
}

/// What there is to give.
pub(super) struct Filled {
    pub n_rows: usize,
    pub n_bytes: usize,
    /// Bytes of the first row's text.
    pub n_first: usize,
}

/// Cells that are read at a time, where they are short.
const MOST_CELLS: usize = 1024;
/// Bytes that are read at a time, roughly.
const STEP_BYTES: usize = 1 << 20;

impl Texts {
    /// Reads until there are `n` cells, or so many bytes of them.
    pub(super) fn fill(
        &mut self,
        n: usize,
        budget: usize,
        mut read: impl FnMut(usize) -> Result<Vec<Option<ByteArray>>, String>,
    ) -> Result<Filled, String> {
        while self.cells.len() < n && (self.cells.is_empty() || self.cells.n_bytes() < budget) {
            if let Some(cell) = self.ahead.next() {
                self.keep(cell.as_ref().map(ByteArray::data))?;
                continue;
            }
            let cells = read(self.step.clamp(1, n - self.cells.len()))?;
            let sizes = cells.iter().flatten().map(ByteArray::len);
            let mean = sizes.sum::<usize>() / cells.len().max(1);
            self.step = (STEP_BYTES / mean.max(1)).clamp(1, MOST_CELLS);
            self.ahead = cells.into_iter();
        }
        let first = self.cells.iter().next().flatten();
        Ok(Filled {
            n_rows: n.min(self.cells.len()),
            n_bytes: self.cells.n_bytes(),
            n_first: first.map_or(0, str::len),
        })
    }

    /// Returns whether no page is needed for what was read.
    pub(super) fn is_settled(&self) -> bool {
        self.ahead.len() == 0
    }

    /// Gives the first `n` cells, which are there; `unread` gets the rows whose cell is not UTF-8.
    pub(super) fn take(&mut self, n: usize, unread: &mut Vec<usize>) -> TextColumn {
        unread.extend(self.unread.extract_if(.., |row| *row < n));
        self.unread.iter_mut().for_each(|row| *row -= n);
        let all = std::mem::take(&mut self.cells);
        if all.len() == n {
            return all;
        }
        let mut first = TextColumn::new();
        for (row, cell) in all.iter().enumerate() {
            let to = if row < n { &mut first } else { &mut self.cells };
            to.push(cell);
        }
        first
    }

    fn keep(&mut self, bytes: Option<&[u8]>) -> Result<(), String> {
        let n_bytes = bytes.map_or(0, <[u8]>::len);
        if n_bytes > RECORD_BYTES {
            return Err(format!(
                "a text of {n_bytes} bytes, at most {RECORD_BYTES} are read"
            ));
        }
        let text = bytes.map(str::from_utf8);
        if matches!(text, Some(Err(_))) {
            self.unread.push(self.cells.len());
        }
        self.cells.push(text.and_then(Result::ok));
        Ok(())
    }
}
