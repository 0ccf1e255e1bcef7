//! What lately came in, against what the model has learned from: bounded memory, however much comes.

mod ladder;

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use artifact::Digest;
use dataset::{
    Table,
    drift::{self, DriftConfig, DriftReport},
    profile::Profile,
};

use crate::{
    detector::Detector,
    intake::{Block, Intake, Outlet, Taken},
};
use ladder::Ladder;

/// Blocks that wait to be summarised; beyond them records are counted, but not looked at.
const WAITING: usize = 16;
/// A window's length, and how many of them are kept: an hour in all.
const WINDOW: Duration = Duration::from_secs(300);
const WINDOWS: usize = 12;
/// How many times as long as it works the summarising thread rests: scoring needs the cores more, and
/// a part of much traffic says as much as all of it.
const REST: u32 = 39;

/// The monitor's receiving side, for every thread that scores.
pub struct Monitor {
    intake: Arc<Intake<()>>,
    windows: Arc<Mutex<Windows>>,
}

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
    pub fn start() -> std::io::Result<Self> {
        let (intake, outlet) = Intake::new(WAITING);
        let windows = Arc::default();
        let monitor = Self {
            intake,
            windows: Arc::clone(&windows),
        };
        thread::Builder::new()
            .name("monitor".to_owned())
            .spawn(move || summarise(&outlet, &windows))?;
        Ok(monitor)
    }

    /// Takes note of scored rows of cells; never waits for anything but its own buffer.
    pub fn observe(&self, detector: &Arc<Detector>, cells: &[f64]) {
        let rows = cells.chunks_exact(detector.columns().len());
        self.intake.push(detector, rows.map(|row| (row, ())));
    }

    /// Takes note of scored rows of a table.
    pub fn observe_table(&self, detector: &Arc<Detector>, table: &Table, rows: &[usize]) {
        let rows: Vec<(usize, ())> = rows.iter().map(|row| (*row, ())).collect();
        self.intake.push_table(detector, table, &rows);
    }

    /// Returns how many records were not looked at, since more came than one thread at rest can take.
    pub fn passed_over(&self) -> u64 {
        self.intake.left_out()
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
}

/// Summarises blocks until nobody can send any more.
fn summarise(outlet: &Outlet<()>, windows: &Mutex<Windows>) {
    loop {
        let Block {
            detector, cells, ..
        } = match outlet.next() {
            Taken::Block(block) => block,
            Taken::Nothing => continue,
            Taken::End => return,
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
