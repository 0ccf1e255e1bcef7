//! The log of predictions: what was scored and how, in Parquet files, without a prediction that waits.

mod file;

use std::{
    fs,
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

use artifact::clock;
use dataset::{SinkError, Table};
use model::RowScore;

use crate::{
    detector::Detector,
    intake::{Block, Intake, Outlet, Taken},
};
use file::{LogFile, Names};

/// Blocks that wait to be written; beyond them predictions are counted, but not logged.
const WAITING: usize = 64;
/// Rows of a row group: what is held in memory until it is written.
const GROUP_ROWS: usize = 1 << 14;

/// What is logged, and where.
#[derive(Debug, Clone)]
pub struct LogSettings {
    /// The directory of the files.
    pub directory: PathBuf,
    /// Share of the predictions, above 0 and at most 1.
    pub share: f64,
    /// Bytes from which on a file is finished and another one begun.
    pub bytes: u64,
    /// Age from which on it is.
    pub age: Duration,
    /// Files that are kept.
    pub keep: usize,
}

/// What a log knows of a prediction besides its cells.
#[derive(Debug, Clone, Copy)]
struct Logged {
    /// Microseconds since the year 1970.
    at: i64,
    score: RowScore,
}

/// A log that is being written.
pub struct PredictionLog {
    intake: Arc<Intake<Logged>>,
    sample: Sample,
    counts: Arc<Counts>,
    thread: Mutex<Option<thread::JoinHandle<()>>>,
}

/// A prediction that is in a file that is being written has not been counted yet.
#[derive(Default)]
struct Counts {
    written: AtomicU64,
    lost: AtomicU64,
}

impl PredictionLog {
    /// Starts the thread that writes.
    ///
    /// # Errors
    /// When the system gives no randomness or starts no thread.
    pub fn start(settings: LogSettings) -> std::io::Result<Self> {
        let mut random = [0; 12];
        getrandom::fill(&mut random).map_err(std::io::Error::other)?;
        let [a, b, c, d, seed @ ..] = random;
        let names = Names::new(&settings.directory, [a, b, c, d]);
        let (intake, outlet) = Intake::new(WAITING);
        let counts = Arc::<Counts>::default();
        let sample = Sample::new(settings.share, u64::from_le_bytes(seed));
        let writer = Writer {
            settings,
            names,
            counts: Arc::clone(&counts),
            held: Vec::new(),
            n_held: 0,
            open: None,
            has_failed: false,
        };
        let thread = thread::Builder::new()
            .name("prediction log".to_owned())
            .spawn(move || writer.run(&outlet))?;
        Ok(Self {
            intake,
            sample,
            counts,
            thread: Mutex::new(Some(thread)),
        })
    }

    /// Takes scored rows of cells, as many of them as the share says.
    pub fn observe(&self, detector: &Arc<Detector>, cells: &[f64], scores: &[RowScore]) {
        let at = clock::now().timestamp_micros();
        let rows = cells.chunks_exact(detector.columns().len()).zip(scores);
        let chosen = rows.filter(|_| self.sample.draw());
        let rows = chosen.map(|(cells, score)| (cells, Logged { at, score: *score }));
        self.intake.push(detector, rows);
    }

    /// Takes scored rows of a table: each one's place and score.
    pub fn observe_table(
        &self,
        detector: &Arc<Detector>,
        table: &Table,
        scored: &[(usize, RowScore)],
    ) {
        let at = clock::now().timestamp_micros();
        let chosen = scored.iter().filter(|_| self.sample.draw());
        let chosen: Vec<(usize, Logged)> = chosen
            .map(|(row, score)| (*row, Logged { at, score: *score }))
            .collect();
        self.intake.push_table(detector, table, &chosen);
    }

    /// Returns how many predictions are in files that are whole, and how many were chosen but are in none.
    pub fn counts(&self) -> (u64, u64) {
        let lost = self.counts.lost.load(Relaxed) + self.intake.left_out();
        (self.counts.written.load(Relaxed), lost)
    }

    /// Writes what has come so far and finishes the file.
    pub fn finish(&self) {
        let mut thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(thread) = thread.take() {
            self.intake.end();
            // Its panic has been printed; there is nothing left to save.
            let _ = thread.join();
        }
    }
}

/// Draws a share of the rows, by a sequence that starts somewhere else in every process.
struct Sample {
    /// Draws below it are chosen; nothing for all of them.
    bound: Option<u64>,
    state: AtomicU64,
}

impl Sample {
    fn new(share: f64, seed: u64) -> Self {
        Self {
            bound: (share < 1.0).then_some((share * 2_f64.powi(64)) as u64),
            state: AtomicU64::new(seed),
        }
    }

    /// SplitMix64 (Steele, Lea, Flood 2014): any number of threads may draw.
    fn draw(&self) -> bool {
        const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
        let Some(bound) = self.bound else { return true };
        let mut z = self.state.fetch_add(STEP, Relaxed).wrapping_add(STEP);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31) < bound
    }
}

/// The thread's side: gathers rows into row groups, and row groups into files.
struct Writer {
    settings: LogSettings,
    names: Names,
    counts: Arc<Counts>,
    /// Blocks of one model.
    held: Vec<Block<Logged>>,
    n_held: usize,
    open: Option<LogFile>,
    /// Whether the log has said that it cannot be written.
    has_failed: bool,
}

impl Writer {
    fn run(mut self, outlet: &Outlet<Logged>) {
        // A service that is killed again and again finishes no file, and leaves one every time.
        self.tidy();
        loop {
            match outlet.next() {
                Taken::Block(block) => self.take(block),
                Taken::Nothing => {}
                Taken::End => return self.finish(),
            }
            if self.open.as_ref().is_some_and(|open| self.is_full(open)) {
                self.finish();
            }
        }
    }

    fn is_full(&self, open: &LogFile) -> bool {
        open.n_bytes() >= self.settings.bytes || open.began.elapsed() >= self.settings.age
    }

    fn take(&mut self, block: Block<Logged>) {
        let is_other = |open: &LogFile| !Arc::ptr_eq(&open.detector, &block.detector);
        if self.open.as_ref().is_some_and(is_other) {
            self.finish();
        }
        self.open.get_or_insert_with(|| LogFile {
            detector: Arc::clone(&block.detector),
            began: Instant::now(),
            groups: None,
            n_rows: 0,
        });
        self.n_held += block.rows.len();
        self.held.push(block);
        if self.n_held >= GROUP_ROWS {
            self.flush();
        }
    }

    /// Writes what is held as a row group.
    fn flush(&mut self) {
        let held = std::mem::take(&mut self.held);
        let n = std::mem::take(&mut self.n_held) as u64;
        let Some(open) = self.open.as_mut().filter(|_| n > 0) else {
            return;
        };
        let Err(error) = open.write(&held, &mut self.names) else {
            return;
        };
        let lost = n + open.n_rows;
        self.lose(lost, &error);
        // Another file may succeed, once there is room again.
        self.open = None;
    }

    /// Finishes the file and makes room for the next.
    fn finish(&mut self) {
        self.flush();
        let Some(open) = self.open.take() else { return };
        let n = open.n_rows;
        match open.finish() {
            Ok(()) => {
                self.has_failed = false;
                self.counts.written.fetch_add(n, Relaxed);
            }
            Err(error) => self.lose(n, &error),
        }
        self.tidy();
    }

    fn tidy(&self) {
        self.names.keep(self.settings.keep, self.settings.age);
    }

    /// Counts predictions that are in no file, and says so once.
    fn lose(&mut self, n: u64, error: &SinkError) {
        self.counts.lost.fetch_add(n, Relaxed);
        if !self.has_failed {
            tracing::warn!(%error, "predictions are not logged");
        }
        self.has_failed = true;
    }
}

/// Makes the directory of a log, and checks that files can be made in it.
///
/// # Errors
/// Why they cannot.
pub fn prepare(settings: &LogSettings) -> std::io::Result<()> {
    fs::create_dir_all(&settings.directory)?;
    tempfile::tempfile_in(&settings.directory).map(drop)
}
