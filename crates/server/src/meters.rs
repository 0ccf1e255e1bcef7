//! What the service counts about itself, for Prometheus.

use std::{
    fmt::Write as _,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::{Duration, Instant},
};

use crate::{monitor::Monitor, prediction_log::PredictionLog, routes::Service, serving::Serving};

/// Upper ends of the latency histogram's buckets, in seconds.
const BUCKETS: [f64; 12] = [
    0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.1, 0.5, 2.5, 10.0,
];
/// Classes of status codes: 1xx to 5xx.
const CLASSES: usize = 5;

/// Counters, added to from every thread.
#[derive(Debug)]
pub struct Meters {
    started: Instant,
    requests: [AtomicU64; CLASSES],
    latency: [AtomicU64; BUCKETS.len() + 1],
    latency_nanoseconds: AtomicU64,
    scored: AtomicU64,
    threats: AtomicU64,
    refused: AtomicU64,
}

impl Meters {
    /// Starts counting.
    pub fn new() -> Self {
        Self {
            started: Instant::now(),
            requests: Default::default(),
            latency: Default::default(),
            latency_nanoseconds: AtomicU64::new(0),
            scored: AtomicU64::new(0),
            threats: AtomicU64::new(0),
            refused: AtomicU64::new(0),
        }
    }

    /// Counts an answer.
    pub fn answered(&self, status: u16, took: Duration) {
        let class = usize::from(status / 100).clamp(1, CLASSES) - 1;
        self.requests[class].fetch_add(1, Relaxed);
        let seconds = took.as_secs_f64();
        let bucket = BUCKETS.partition_point(|end| *end < seconds);
        self.latency[bucket].fetch_add(1, Relaxed);
        let nanoseconds = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        self.latency_nanoseconds.fetch_add(nanoseconds, Relaxed);
    }

    /// Counts scored records.
    pub fn scored(&self, records: u64, threats: u64) {
        self.scored.fetch_add(records, Relaxed);
        self.threats.fetch_add(threats, Relaxed);
    }

    /// Counts records of files that were not scored.
    pub fn refused(&self, records: u64) {
        self.refused.fetch_add(records, Relaxed);
    }

    /// Returns how many records were scored, and how many of them were called a threat.
    pub fn records(&self) -> (u64, u64) {
        (self.scored.load(Relaxed), self.threats.load(Relaxed))
    }

    /// Writes everything in Prometheus' text format.
    pub fn exposition(&self, service: &Service) -> String {
        let serving = &*service.serving;
        let mut text = Exposition::default();
        text.family(
            "netsec_requests_total",
            "counter",
            "Answers by class of status.",
        );
        for (class, n) in self.requests.iter().enumerate() {
            let label = format!("{{status=\"{}xx\"}}", class + 1);
            text.sample("netsec_requests_total", &label, n.load(Relaxed) as f64);
        }
        self.write_latency(&mut text);
        let [taken_up, refused] = serving.reloads();
        let counters = [
            (
                "netsec_records_scored_total",
                "Records scored.",
                &self.scored,
            ),
            (
                "netsec_threats_total",
                "Records called a threat.",
                &self.threats,
            ),
            (
                "netsec_records_refused_total",
                "Records of files that were not scored.",
                &self.refused,
            ),
            ("netsec_reloads_total", "Champions taken up.", taken_up),
            (
                "netsec_reloads_refused_total",
                "Looks at the registry that found no sound champion.",
                refused,
            ),
        ];
        for (name, help, counter) in counters {
            text.family(name, "counter", help);
            text.sample(name, "", counter.load(Relaxed) as f64);
        }
        text.family("netsec_uptime_seconds", "gauge", "Seconds since the start.");
        text.sample(
            "netsec_uptime_seconds",
            "",
            self.started.elapsed().as_secs_f64(),
        );
        write_model(&mut text, serving);
        write_drift(&mut text, serving, &service.monitor);
        if let Some(limit) = &service.rate_limit {
            let name = "netsec_requests_limited_total";
            text.family(name, "counter", "Requests beyond what their key may make.");
            text.sample(name, "", limit.refused() as f64);
        }
        if let Some(log) = &service.prediction_log {
            write_log(&mut text, log);
        }
        text.0
    }

    fn write_latency(&self, text: &mut Exposition) {
        let name = "netsec_request_seconds";
        text.family(
            name,
            "histogram",
            "Seconds from a request's head to its answer's.",
        );
        let mut below = 0;
        for (at, n) in self.latency.iter().enumerate() {
            below += n.load(Relaxed);
            let end = BUCKETS.get(at).map_or("+Inf".to_owned(), f64::to_string);
            let label = format!("{{le=\"{end}\"}}");
            text.sample(&format!("{name}_bucket"), &label, below as f64);
        }
        let seconds = self.latency_nanoseconds.load(Relaxed) as f64 / 1e9;
        text.sample(&format!("{name}_sum"), "", seconds);
        text.sample(&format!("{name}_count"), "", below as f64);
    }
}

fn write_log(text: &mut Exposition, log: &PredictionLog) {
    let (written, lost) = log.counts();
    for (name, help, n) in [
        (
            "netsec_predictions_logged_total",
            "Predictions in files of the log that are whole.",
            written,
        ),
        (
            "netsec_predictions_not_logged_total",
            "Predictions that the log should have, but had no room or disk for.",
            lost,
        ),
    ] {
        text.family(name, "counter", help);
        text.sample(name, "", n as f64);
    }
}

fn write_model(text: &mut Exposition, serving: &Serving) {
    let current = serving.current();
    text.family("netsec_ready", "gauge", "1 when a model is loaded.");
    text.sample("netsec_ready", "", f64::from(u8::from(current.is_some())));
    if let Some(detector) = &*current {
        // Names are letters, digits, `-` and `_`: there is nothing to escape.
        let label = format!(
            "{{model=\"{}\",simulated=\"{}\"}}",
            detector.name, detector.bundle.simulated
        );
        text.family("netsec_model_version", "gauge", "Version that serves.");
        text.sample(
            "netsec_model_version",
            &label,
            detector.entry.version as f64,
        );
        text.family("netsec_model_threshold", "gauge", "Operating threshold.");
        text.sample(
            "netsec_model_threshold",
            &label,
            detector.bundle.thresholds.operating,
        );
    }
}

fn write_drift(text: &mut Exposition, serving: &Serving, monitor: &Monitor) {
    let current = serving.current();
    let Some(detector) = &*current else { return };
    let report = monitor.report(detector);
    let name = "netsec_drifted";
    text.family(
        name,
        "gauge",
        "1 when a column of the last hour has drifted.",
    );
    for column in &report.columns {
        let label = format!("{{column=\"{}\"}}", escape(&column.name));
        text.sample(name, &label, f64::from(u8::from(column.drifted)));
    }
    let name = "netsec_drift_effect";
    text.family(
        name,
        "gauge",
        "How far a column of the last hour has moved.",
    );
    for column in &report.columns {
        if let Some(finding) = &column.values {
            let label = format!("{{column=\"{}\"}}", escape(&column.name));
            text.sample(name, &label, finding.effect);
        }
    }
}

/// Writes a text as the value of a label.
fn escape(text: &str) -> String {
    text.replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

/// Prometheus' text format, version 0.0.4.
#[derive(Default)]
struct Exposition(String);

impl Exposition {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        // Writing into a string does not fail.
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn sample(&mut self, name: &str, labels: &str, value: f64) {
        let _ = writeln!(self.0, "{name}{labels} {value}");
    }
}
