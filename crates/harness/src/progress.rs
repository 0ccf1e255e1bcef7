//! Progress on standard error: bars on a terminal, JSON lines for programs, or nothing.

use std::{
    io::{IsTerminal as _, Write as _},
    sync::Mutex,
};

use indicatif::{ProgressBar, ProgressStyle};

/// How progress is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProgressMode {
    /// A bar on a terminal, nothing elsewhere.
    Auto,
    /// One JSON object a line: `{"stage":…,"done":…,"total":…}`.
    Json,
    /// Nothing.
    Off,
}

/// Receives progress from stages, from any thread.
pub struct ProgressReporter {
    shown: Shown,
}

enum Shown {
    Bar {
        bar: ProgressBar,
        current: Mutex<String>,
    },
    Json(Mutex<()>),
    Nothing,
}

impl ProgressReporter {
    /// Makes a reporter.
    pub fn new(mode: ProgressMode) -> Self {
        let shown = match mode {
            ProgressMode::Json => Shown::Json(Mutex::new(())),
            ProgressMode::Auto if std::io::stderr().is_terminal() => {
                let bar = ProgressBar::new(1);
                let style = "{prefix:>14} [{bar:30}] {pos}/{len} {msg}";
                bar.set_style(
                    ProgressStyle::with_template(style)
                        .expect("the template is a constant")
                        .progress_chars("=> "),
                );
                Shown::Bar {
                    bar,
                    current: Mutex::default(),
                }
            }
            _ => Shown::Nothing,
        };
        Self { shown }
    }

    /// Reports that `done` of `total` units of a stage are done.
    pub fn report(&self, stage: &str, done: u64, total: u64) {
        match &self.shown {
            Shown::Nothing => {}
            Shown::Bar { bar, current } => {
                let mut current = current.lock().unwrap_or_else(|e| e.into_inner());
                if *current != stage {
                    stage.clone_into(&mut current);
                    bar.set_prefix(stage.to_owned());
                    bar.set_position(0);
                }
                bar.set_length(total);
                // Threads may report out of order; a bar never goes back.
                bar.set_position(bar.position().max(done));
            }
            Shown::Json(lock) => {
                let line = serde_json::json!({"stage": stage, "done": done, "total": total});
                let _one_line_at_a_time = lock.lock();
                // A reader that went away must not end the training.
                let _ = writeln!(std::io::stderr(), "{line}");
            }
        }
    }

    /// Removes the bar, so that what is printed next stands on clean lines.
    pub fn finish(&self) {
        if let Shown::Bar { bar, .. } = &self.shown {
            bar.finish_and_clear();
        }
    }
}
