//! What lately came in, against what the model has learned from: bounded memory, however much comes.

mod ladder;

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
        mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    },
    thread,
    time::{Duration, Instant},
};

use artifact::Digest;
use dataset::{
    drift::{self, DriftConfig, DriftReport},
    profile::Profile,
};

use crate::detector::Detector;
use ladder::Ladder;

/// Records that are summarised together.
const BLOCK: usize = 512;
/// Blocks that wait to be summarised; beyond them records are counted, but not looked at.
const WAITING: usize = 16;
/// A window's length, and how many of them are kept: an hour in all.
const WINDOW: Duration = Duration::from_secs(300);
const WINDOWS: usize = 12;
/// How many times as long as it works the summarising thread rests: scoring needs the cores more, and
/// a part of much traffic says as much as all of it.
const REST: u32 = 19;
/// How often records that do not fill a block are summarised.
const FLUSH: Duration = Duration::from_secs(1);

/// The monitor's receiving side, for every thread that scores.
pub struct Monitor {
    pending: Mutex<Pending>,
    blocks: SyncSender<Block>,
    windows: Arc<Mutex<Windows>>,
    passed_over: AtomicU64,
}

/// Cells of one model, row after row.
struct Block {
    detector: Arc<Detector>,
    cells: Vec<f64>,
}

#[derive(Default)]
struct Pending(Option<Block>);

/// The windows of the model that serves, the oldest first.
#[derive(Default)]
struct Windows {
    model: Option<Digest>,
    windows: VecDeque<(Instant, Ladder)>,
}

impl Monitor {
    /// Starts the thread that summarises.
    ///
    /// # Errors
    /// When the system starts no thread.
    pub fn start() -> std::io::Result<Arc<Self>> {
        let (blocks, receiver) = sync_channel(WAITING);
        let windows = Arc::default();
        let monitor = Arc::new(Self {
            pending: Mutex::default(),
            blocks,
            windows: Arc::clone(&windows),
            passed_over: AtomicU64::new(0),
        });
        let weak = Arc::downgrade(&monitor);
        let flush = move || weak.upgrade().map(|monitor| monitor.take_pending());
        thread::Builder::new()
            .name("monitor".to_owned())
            .spawn(move || summarise(&receiver, &windows, flush))?;
        Ok(monitor)
    }

    /// Takes note of scored rows of cells; never waits for anything but its own buffer.
    pub fn observe(&self, detector: &Arc<Detector>, cells: &[f64]) {
        let mut pending = lock(&self.pending);
        let is_same = |block: &Block| Arc::ptr_eq(&block.detector, detector);
        if !pending.0.as_ref().is_some_and(is_same) {
            let full = pending.0.take();
            self.pass_on(full);
        }
        let capacity = BLOCK * detector.columns().len();
        let block = pending.0.get_or_insert_with(|| Block {
            detector: Arc::clone(detector),
            cells: Vec::with_capacity(capacity),
        });
        block.cells.extend_from_slice(cells);
        if block.cells.len() >= capacity {
            let full = pending.0.take();
            drop(pending);
            self.pass_on(full);
        }
    }

    /// Returns how many records were not looked at, since more came than one thread at rest can take.
    pub fn passed_over(&self) -> u64 {
        self.passed_over.load(Relaxed)
    }

    /// Compares what came in the last hour with what a model has learned from.
    pub fn report(&self, detector: &Detector) -> DriftReport {
        let fresh = lock(&self.windows).profile(detector.entry.bundle);
        let empty = Profile {
            n_rows: 0,
            columns: Vec::new(),
        };
        let reference = Some(&detector.bundle.profile);
        drift::compare(reference, &fresh.unwrap_or(empty), &DriftConfig::default())
    }

    fn take_pending(&self) -> Option<Block> {
        lock(&self.pending).0.take()
    }

    fn pass_on(&self, block: Option<Block>) {
        let Some(block) = block else { return };
        let n = (block.cells.len() / block.detector.columns().len()) as u64;
        if self.blocks.try_send(block).is_err() {
            self.passed_over.fetch_add(n, Relaxed);
        }
    }
}

/// Summarises blocks until nobody can send any more.
fn summarise(
    blocks: &Receiver<Block>,
    windows: &Mutex<Windows>,
    flush: impl Fn() -> Option<Option<Block>>,
) {
    loop {
        let block = match blocks.recv_timeout(FLUSH) {
            Ok(block) => Some(block),
            Err(RecvTimeoutError::Timeout) => match flush() {
                None => return,
                Some(pending) => pending,
            },
            Err(RecvTimeoutError::Disconnected) => return,
        };
        let Some(Block { detector, cells }) = block else {
            continue;
        };
        let began = Instant::now();
        let schema = &detector.bundle.schema;
        let mut table = detector.table(&cells);
        dataset::derived::append(schema, &mut table);
        let profile = Profile::of(schema, &table);
        lock(windows).push(detector.entry.bundle, profile);
        thread::sleep(began.elapsed() * REST);
    }
}

impl Windows {
    fn push(&mut self, model: Digest, profile: Profile) {
        if self.model != Some(model) {
            self.model = Some(model);
            self.windows.clear();
        }
        let is_current = |(began, _): &(Instant, Ladder)| began.elapsed() < WINDOW;
        if !self.windows.back().is_some_and(is_current) {
            self.windows.push_back((Instant::now(), Ladder::default()));
        }
        if let Some((_, ladder)) = self.windows.back_mut() {
            ladder.push(profile);
        }
        self.drop_old();
    }

    fn drop_old(&mut self) {
        let lifetime = WINDOW * WINDOWS as u32;
        let is_old = |(began, _): &(Instant, Ladder)| began.elapsed() > lifetime;
        while self.windows.front().is_some_and(is_old) {
            self.windows.pop_front();
        }
    }

    /// Returns the profile of everything in the windows.
    fn profile(&mut self, model: Digest) -> Option<Profile> {
        self.drop_old();
        if self.model != Some(model) {
            return None;
        }
        let mut all = Ladder::default();
        for (_, ladder) in &self.windows {
            ladder.profile().into_iter().for_each(|p| all.push(p));
        }
        all.profile()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
