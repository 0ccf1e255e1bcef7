//! Scored rows on their way to a thread that looks at them: who scores never waits for it.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
        mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    },
    time::Duration,
};

use dataset::Table;

use crate::detector::Detector;

/// Rows of a block at most.
pub const BLOCK: usize = 512;
/// How often rows that do not fill a block are passed on.
const FLUSH: Duration = Duration::from_secs(1);

/// The receiving side, for every thread that scores.
pub struct Intake<T> {
    pending: Mutex<Option<Block<T>>>,
    blocks: SyncSender<Option<Block<T>>>,
    /// Blocks that were passed on and not taken yet.
    waiting: AtomicUsize,
    most_waiting: usize,
    left_out: AtomicU64,
}

/// Rows of one model.
pub struct Block<T> {
    /// The model.
    pub detector: Arc<Detector>,
    /// Its columns' cells, row after row.
    pub cells: Vec<f64>,
    /// What else there is to each row.
    pub rows: Vec<T>,
}

/// The side of the thread that looks at rows.
pub struct Outlet<T> {
    blocks: Receiver<Option<Block<T>>>,
    intake: Weak<Intake<T>>,
}

/// What an [`Outlet`] gives.
pub enum Taken<T> {
    /// Rows.
    Block(Block<T>),
    /// None came for a while.
    Nothing,
    /// None will come any more.
    End,
}

impl<T> Intake<T> {
    /// Makes both sides; so many blocks may wait, and rows beyond them are counted, but left out.
    pub fn new(most_waiting: usize) -> (Arc<Self>, Outlet<T>) {
        // One more, for the end.
        let (blocks, receiver) = sync_channel(most_waiting + 1);
        let intake = Arc::new(Self {
            pending: Mutex::new(None),
            blocks,
            waiting: AtomicUsize::new(0),
            most_waiting,
            left_out: AtomicU64::new(0),
        });
        let outlet = Outlet {
            blocks: receiver,
            intake: Arc::downgrade(&intake),
        };
        (intake, outlet)
    }

    /// Takes rows of cells, each with what else there is to it.
    pub fn push<'c>(&self, detector: &Arc<Detector>, rows: impl Iterator<Item = (&'c [f64], T)>) {
        let mut pending = self.pending();
        for (cells, row) in rows {
            let block = self.block_of(&mut pending, detector);
            block.cells.extend_from_slice(cells);
            block.rows.push(row);
            if block.rows.len() == BLOCK {
                let full = pending.take();
                self.pass_on(full);
            }
        }
    }

    /// Takes rows of a table, by their places; its columns are the detector's. They are gathered only where there is
    /// room for them.
    pub fn push_table(&self, detector: &Arc<Detector>, table: &Table, rows: &[(usize, T)])
    where
        T: Clone,
    {
        for chunk in rows.chunks(BLOCK) {
            if self.waiting.load(Relaxed) >= self.most_waiting {
                self.left_out.fetch_add(chunk.len() as u64, Relaxed);
                continue;
            }
            let columns = table.columns();
            let mut cells = Vec::with_capacity(chunk.len() * columns.len());
            for (row, _) in chunk {
                cells.extend(columns.iter().map(|column| column.values[*row]));
            }
            let rows = cells.chunks_exact(columns.len());
            self.push(detector, rows.zip(chunk.iter().map(|(_, row)| row.clone())));
        }
    }

    /// Returns how many rows were left out, since more came than the thread takes.
    pub fn left_out(&self) -> u64 {
        self.left_out.load(Relaxed)
    }

    /// Passes the last rows on, and says that none will come any more; waits for room.
    pub fn end(&self) {
        let last = self.pending().take();
        if let Some(block) = last {
            // A thread that has ended has nothing to write any more.
            let _ = self.blocks.send(Some(block));
        }
        let _ = self.blocks.send(None);
    }

    /// Returns the block that rows of a model go to; another model's is passed on.
    fn block_of<'p>(
        &self,
        pending: &'p mut Option<Block<T>>,
        detector: &Arc<Detector>,
    ) -> &'p mut Block<T> {
        let is_other = |block: &mut Block<T>| !Arc::ptr_eq(&block.detector, detector);
        let other = pending.take_if(is_other);
        self.pass_on(other);
        pending.get_or_insert_with(|| Block {
            detector: Arc::clone(detector),
            cells: Vec::with_capacity(BLOCK * detector.columns().len()),
            rows: Vec::with_capacity(BLOCK),
        })
    }

    fn pass_on(&self, block: Option<Block<T>>) {
        let Some(block) = block else { return };
        let n = block.rows.len() as u64;
        let has_room = self.waiting.fetch_add(1, Relaxed) < self.most_waiting;
        if !has_room || self.blocks.try_send(Some(block)).is_err() {
            self.waiting.fetch_sub(1, Relaxed);
            self.left_out.fetch_add(n, Relaxed);
        }
    }

    fn pending(&self) -> MutexGuard<'_, Option<Block<T>>> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Outlet<T> {
    /// Waits for rows; those that do not fill a block come after a while.
    pub fn next(&self) -> Taken<T> {
        match self.blocks.recv_timeout(FLUSH) {
            Ok(Some(block)) => {
                if let Some(intake) = self.intake.upgrade() {
                    intake.waiting.fetch_sub(1, Relaxed);
                }
                Taken::Block(block)
            }
            Ok(None) | Err(RecvTimeoutError::Disconnected) => Taken::End,
            Err(RecvTimeoutError::Timeout) => match self.intake.upgrade() {
                None => Taken::End,
                Some(intake) => intake.pending().take().map_or(Taken::Nothing, Taken::Block),
            },
        }
    }
}
