//! Progress on standard error: bars on a terminal, JSON lines for programs, or nothing.

use std::{
    io::{IsTerminal as _, Write as _},
    sync::{Mutex, MutexGuard, PoisonError},
};

use artifact::Advance;
use indicatif::{ProgressBar, ProgressStyle};

/// How progress is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProgressMode {
    /// A bar on a terminal, nothing elsewhere.
    Auto,
    /// One JSON object a line: `{"stage":…,"step":…,"done":…,"total":…}`, `step` empty at a stage's
    /// beginning (0 of 1) and end (1 of 1), `total` 0 where it is not known.
    Json,
    /// Nothing.
    Off,
}

/// Receives progress from stages, from any thread.
pub struct ProgressReporter {
    shown: Shown,
    last: Mutex<Last>,
}

enum Shown {
    Bar(ProgressBar),
    Json,
    Nothing,
}

/// What was shown last: threads may report out of order, and no one is shown a step back.
#[derive(Default)]
struct Last {
    stage: String,
    step: String,
    done: u64,
}

impl Last {
    /// Takes a report; `None` when a later one of the same step has been shown, else whether a new
    /// step begins.
    fn take(&mut self, advance: Advance<'_>) -> Option<bool> {
        let is_new = self.stage != advance.stage || self.step != advance.step;
        if !is_new && advance.done <= self.done {
            return None;
        }
        advance.stage.clone_into(&mut self.stage);
        advance.step.clone_into(&mut self.step);
        self.done = advance.done;
        Some(is_new)
    }
}

impl ProgressReporter {
    /// Makes a reporter.
    pub fn new(mode: ProgressMode) -> Self {
        let shown = match mode {
            ProgressMode::Json => Shown::Json,
            ProgressMode::Auto if std::io::stderr().is_terminal() => {
                Shown::Bar(ProgressBar::new(1))
            }
            _ => Shown::Nothing,
        };
        Self {
            shown,
            last: Mutex::default(),
        }
    }

    /// Reports how far a stage has come.
    pub fn report(&self, advance: Advance<'_>) {
        // Held while something is shown, so that lines stand in order.
        let mut last = self.last();
        match &self.shown {
            Shown::Nothing => {}
            Shown::Bar(bar) => {
                if let Some(is_new) = last.take(advance) {
                    show(bar, advance, is_new);
                }
            }
            Shown::Json => {
                if last.take(advance).is_some() {
                    // A reader that went away must not end the training.
                    let _ = writeln!(std::io::stderr(), "{}", json_line(advance));
                }
            }
        }
    }

    fn last(&self) -> MutexGuard<'_, Last> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Removes the bar, so that what is printed next stands on clean lines.
    pub fn finish(&self) {
        if let Shown::Bar(bar) = &self.shown {
            bar.finish_and_clear();
        }
    }
}

fn json_line(advance: Advance<'_>) -> serde_json::Value {
    let Advance {
        stage,
        step,
        done,
        total,
    } = advance;
    serde_json::json!({"stage": stage, "step": step, "done": done, "total": total})
}

fn show(bar: &ProgressBar, advance: Advance<'_>, is_new: bool) {
    if is_new {
        let template = match (advance.step, advance.total) {
            ("", _) => "{prefix:>14} {spinner}",
            (_, 0) => "{prefix:>14} {spinner} {pos} {msg}",
            _ => "{prefix:>14} [{bar:24}] {pos}/{len} {msg}",
        };
        let style = ProgressStyle::with_template(template)
            .expect("the templates are constants")
            .progress_chars("=> ");
        bar.set_style(style);
        bar.set_prefix(advance.stage.to_owned());
        bar.set_message(advance.step.to_owned());
    }
    bar.set_length(advance.total);
    bar.set_position(advance.done);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(reports: &[(&str, &str, u64)], shown: &[u64]) {
        let mut last = Last::default();
        let of = |(stage, step, done)| Advance {
            stage,
            step,
            done,
            total: 9,
        };
        let found: Vec<u64> = reports
            .iter()
            .map(|report| of(*report))
            .filter(|advance| last.take(*advance).is_some())
            .map(|advance| advance.done)
            .collect();
        assert_eq!(found, shown);
    }

    #[test]
    fn reports_out_of_order_never_step_back() {
        check(&[("a", "s", 1), ("a", "s", 3), ("a", "s", 2)], &[1, 3]);
    }

    #[test]
    fn another_step_and_another_stage_begin_anew() {
        check(
            &[
                ("a", "", 0),
                ("a", "s", 5),
                ("a", "t", 1),
                ("a", "", 1),
                ("b", "", 0),
            ],
            &[0, 5, 1, 1, 0],
        );
    }
}
