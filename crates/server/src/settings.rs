//! The service's settings, checked: what the command line and the environment may not say together.

mod surroundings;
mod training;

use std::{ffi::OsString, fs, net::SocketAddr, path::PathBuf, time::Duration};

use artifact::{ErrorKind, Failure, remedy};
use dataset::SourceUri;
use registry::Location;

use crate::{
    arguments::Arguments,
    from_files::{FromFiles, check_file},
    jobs::TrainingSource,
    keys::KeyRing,
    prediction_log::{self, LogSettings},
    tls::Certificate,
    upload::UploadLimits,
};

/// Keys may also stand in this environment variable, separated by `;` or line ends.
const KEYS_VARIABLE: &str = "NETSEC_API_KEYS";

/// What the service is told, once it has been found to make sense.
#[derive(Debug)]
pub struct Settings {
    pub artifacts: PathBuf,
    /// None: below the artifacts.
    pub registry: Option<Location>,
    /// The file of the keys whose signatures count; none when none is asked for.
    pub trusted_keys: Option<PathBuf>,
    pub model: Option<String>,
    pub keys: FromFiles<KeyRing>,
    pub max_rate: Option<f64>,
    pub tls: Option<Certificate>,
    pub prediction_log: Option<LogSettings>,
    pub limits: Limits,
    pub allowed_hosts: Vec<String>,
    pub allowed_origins: Vec<String>,
    pub poll: Duration,
    pub drain: u64,
    pub workers: usize,
    pub max_connections: usize,
    pub max_bodies: usize,
    pub max_bodies_each: usize,
    pub max_uploads: usize,
    pub max_uploads_each: usize,
    pub admin: Option<SocketAddr>,
    pub sources: Vec<TrainingSource>,
    pub program: PathBuf,
}

/// What a request may ask for.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    pub body_bytes: usize,
    pub rows: usize,
    pub upload: UploadLimits,
    pub client_timeout: Duration,
}

impl Settings {
    /// Checks the arguments.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] with what to do about it.
    pub fn of(arguments: &Arguments) -> Result<Self, Failure> {
        let keys = read_keys(arguments)?;
        check_listeners(arguments, &keys.current())?;
        check_limits(arguments)?;
        let sources = training::sources(&arguments.sources)?;
        let cores = || std::thread::available_parallelism().map_or(1, usize::from);
        Ok(Self {
            artifacts: arguments.artifacts.clone(),
            registry: registry(arguments)?,
            trusted_keys: trusted_keys(arguments)?,
            model: model(arguments)?,
            max_rate: rate(arguments.max_rate)?,
            tls: certificate(arguments)?,
            prediction_log: prediction_log(arguments)?,
            limits: Limits {
                body_bytes: arguments.max_body,
                rows: arguments.max_rows,
                upload: upload(arguments)?,
                client_timeout: seconds("client-timeout", arguments.client_timeout)?,
            },
            allowed_hosts: hosts(&arguments.allowed_hosts)?,
            allowed_origins: origins(&arguments.allowed_origins)?,
            poll: seconds("poll", arguments.poll)?,
            drain: arguments.drain,
            workers: arguments.workers.unwrap_or_else(cores),
            max_connections: arguments.max_connections,
            max_bodies: bodies(arguments)?,
            max_bodies_each: share_of_bodies(arguments)?,
            max_uploads: arguments.max_uploads,
            max_uploads_each: share_of_uploads(arguments)?,
            admin: arguments.admin_listen.0,
            program: training::program(arguments.netsec.as_deref(), !sources.is_empty())?,
            sources,
            keys,
        })
    }

    /// Returns what the training that runs holds.
    pub fn training_lock(&self) -> PathBuf {
        self.artifacts.join(".training.lock")
    }

    /// Returns what tells the program `netsec` where the registry is and whom it trusts.
    pub fn place(&self) -> Vec<OsString> {
        let mut place = vec!["--artifacts".into(), self.artifacts.clone().into()];
        if let Some(registry) = &self.registry {
            place.extend(["--registry".into(), registry.to_string().into()]);
        }
        if let Some(keys) = &self.trusted_keys {
            place.extend(["--trusted-keys".into(), keys.clone().into()]);
        }
        place
    }
}

/// Finds where the registry is; a variable without a value names no place.
fn registry(arguments: &Arguments) -> Result<Option<Location>, Failure> {
    let given = arguments.registry.as_ref();
    let named = given.filter(|address| **address != SourceUri::default());
    let location = named.map(Location::try_from).transpose();
    location.map_err(|e| config(format!("--registry: {e}")))
}

/// Refuses a name that no model has; a variable without a value names none.
fn model(arguments: &Arguments) -> Result<Option<String>, Failure> {
    let named = arguments.model.clone().filter(|name| !name.is_empty());
    let checked = named.as_deref().map_or(Ok(()), registry::check_name);
    checked.map_err(|e| config(format!("--model: {e}")))?;
    Ok(named)
}

fn trusted_keys(arguments: &Arguments) -> Result<Option<PathBuf>, Failure> {
    let named = arguments.trusted_keys.clone();
    let checked = named.as_deref().map_or(Ok(()), check_file);
    checked.map_err(|e| config(format!("--trusted-keys {e}")))?;
    Ok(named)
}

/// Refuses to be reached from other machines without a key.
fn check_listeners(arguments: &Arguments, keys: &KeyRing) -> Result<(), Failure> {
    let listen = arguments.listen;
    if keys.is_empty() && !listen.ip().is_loopback() && !arguments.insecure {
        return Err(config(format!(
            "{listen} can be reached from other machines and there are no API keys: make one with \
             `--new-key NAME`, or listen on 127.0.0.1, or say `--insecure`"
        )));
    }
    let admin = arguments.admin_listen.0;
    if let Some(admin) = admin.filter(|admin| overlap(*admin, listen)) {
        return Err(config(format!(
            "--listen {listen} and --admin-listen {admin} are one address: give one of them another \
             port, or say `--admin-listen off`"
        )));
    }
    match admin.filter(|a| !a.ip().is_loopback() && !keys.may_administer()) {
        None => Ok(()),
        Some(admin) => Err(config(format!(
            "administration at {admin} can be reached from other machines and there is no key for \
             it: make one with `--new-key NAME --scope admin`, or listen on 127.0.0.1"
        ))),
    }
}

/// Returns whether two listeners cannot be at once. The system chooses another port for each 0.
fn overlap(one: SocketAddr, other: SocketAddr) -> bool {
    let covers = |a: SocketAddr, b: SocketAddr| {
        a.ip() == b.ip() || a.ip().is_unspecified() && (a.is_ipv6() || b.is_ipv4())
    };
    one.port() != 0 && one.port() == other.port() && (covers(one, other) || covers(other, one))
}

/// Threads that actix-server keeps account of.
const MOST_WORKERS: usize = 512;

fn check_limits(arguments: &Arguments) -> Result<(), Failure> {
    let limits = [
        ("max-body", arguments.max_body as u64),
        ("max-rows", arguments.max_rows as u64),
        ("max-upload", arguments.max_upload),
        ("max-uploads", arguments.max_uploads as u64),
        ("max-connections", arguments.max_connections as u64),
        ("workers", arguments.workers.map_or(1, |n| n as u64)),
        ("prediction-log-bytes", arguments.prediction_log_bytes),
        ("prediction-log-keep", arguments.prediction_log_keep as u64),
    ];
    if let Some(workers) = arguments.workers.filter(|n| *n > MOST_WORKERS) {
        return Err(config(format!(
            "--workers is {workers}: use at most {MOST_WORKERS}; one a core is what it takes"
        )));
    }
    match limits.iter().find(|(_, n)| *n == 0) {
        Some((name, _)) => Err(config(format!(
            "--{name} is 0: use at least 1, or leave it out"
        ))),
        None => Ok(()),
    }
}

/// Bodies of the largest size that may be worked on at a time, where nothing else is said.
const BODIES: usize = 16;

/// Returns how many bytes all bodies may have; one of the largest must fit.
fn bodies(arguments: &Arguments) -> Result<usize, Failure> {
    let body = arguments.max_body;
    match arguments.max_bodies {
        Some(all) if all < body => Err(config(format!(
            "--max-bodies is {all} bytes, of which one body may have {body}: use at least that, or a lower --max-body"
        ))),
        Some(all) => Ok(all),
        None => Ok(body.saturating_mul(BODIES)),
    }
}

/// Returns how many of these bytes the bodies of one client may have; one of the largest must fit.
fn share_of_bodies(arguments: &Arguments) -> Result<usize, Failure> {
    let (body, all) = (arguments.max_body, bodies(arguments)?);
    let half = all.div_ceil(2).max(body);
    match arguments.max_bodies_per_client.unwrap_or(half) {
        share if (body..=all).contains(&share) => Ok(share),
        share => Err(config(format!(
            "--max-bodies-per-client is {share} bytes: use {body}, which is --max-body, to {all}, which is --max-bodies"
        ))),
    }
}

fn upload(arguments: &Arguments) -> Result<UploadLimits, Failure> {
    let rate = arguments.min_upload_rate;
    if !(0.0..=1e12).contains(&rate) {
        return Err(config(format!(
            "--min-upload-rate is {rate} bytes a second: use 0, for no limit, to 1000000000000"
        )));
    }
    Ok(UploadLimits {
        bytes: arguments.max_upload,
        time: seconds("upload-time", arguments.upload_time)?,
        pause: seconds("client-timeout", arguments.client_timeout)?,
        rate,
        span: seconds("upload-rate-span", arguments.upload_rate_span)?,
    })
}

fn share_of_uploads(arguments: &Arguments) -> Result<usize, Failure> {
    let most = arguments.max_uploads;
    let half = most.div_ceil(2);
    match arguments.max_uploads_per_client.unwrap_or(half) {
        share if (1..=most).contains(&share) => Ok(share),
        share => Err(config(format!(
            "--max-uploads-per-client is {share}: use 1 to {most}, which is --max-uploads"
        ))),
    }
}

fn certificate(arguments: &Arguments) -> Result<Option<Certificate>, Failure> {
    let files = arguments
        .tls_certificate
        .clone()
        .zip(arguments.tls_key.clone());
    let read = files.map(|(chain, key)| Certificate::read(chain, key));
    read.transpose().map_err(|e| config(format!("TLS: {e}")))
}

fn prediction_log(arguments: &Arguments) -> Result<Option<LogSettings>, Failure> {
    let share = arguments.prediction_log_share;
    if !(share > 0.0 && share <= 1.0) {
        return Err(config(format!(
            "--prediction-log-share is {share}: use a share above 0, at most 1"
        )));
    }
    let age = seconds("prediction-log-age", arguments.prediction_log_age)?;
    let Some(directory) = &arguments.prediction_log else {
        return Ok(None);
    };
    let settings = LogSettings {
        directory: directory.clone(),
        share,
        bytes: arguments.prediction_log_bytes,
        age,
        keep: arguments.prediction_log_keep,
    };
    let place = directory.display();
    if fs::metadata(directory).is_ok_and(|found| !found.is_dir()) {
        return Err(config(format!(
            "--prediction-log {place}: it is no directory: name the one in which files are to be written"
        )));
    }
    prediction_log::prepare(&settings)
        .map_err(|e| config(format!("--prediction-log {place}: {e}{}", remedy(&e))))?;
    Ok(Some(settings))
}

fn config(reason: String) -> Failure {
    Failure::new(ErrorKind::Config, reason)
}

fn seconds(name: &str, seconds: f64) -> Result<Duration, Failure> {
    if (0.01..=86_400.0).contains(&seconds) {
        Ok(Duration::from_secs_f64(seconds))
    } else {
        Err(config(format!(
            "--{name} is {seconds} seconds: use 0.01 to 86400"
        )))
    }
}

fn rate(given: Option<f64>) -> Result<Option<f64>, Failure> {
    match given {
        Some(rate) if !(0.001..=1e9).contains(&rate) => Err(config(format!(
            "--max-rate is {rate} requests a second: use 0.001 to 1000000000"
        ))),
        given => Ok(given),
    }
}

fn hosts(given: &[String]) -> Result<Vec<String>, Failure> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
    match named(given).find(|name| !name.chars().all(is_part)) {
        Some(bad) => Err(config(format!(
            "--allow-host {bad}: write each name alone, without scheme, port or `*`, such as svc.example"
        ))),
        None => Ok(named(given).map(|name| name.to_lowercase()).collect()),
    }
}

fn origins(given: &[String]) -> Result<Vec<String>, Failure> {
    let is_origin = |text: &String| {
        let rest = text
            .strip_prefix("https://")
            .or_else(|| text.strip_prefix("http://"));
        rest.is_some_and(|host| !host.is_empty() && !host.contains(['/', '*', ' ']))
    };
    match named(given).find(|text| !is_origin(text)) {
        Some(bad) => Err(config(format!(
            "--allow-origin {bad}: write scheme and host alone, such as https://portal.example"
        ))),
        None => Ok(named(given).map(|text| text.to_lowercase()).collect()),
    }
}

/// Returns the names of a list: an environment variable without a value is one empty name.
fn named(given: &[String]) -> impl Iterator<Item = &String> {
    given.iter().filter(|name| !name.is_empty())
}

/// Reads the keys of the file, if one is named, and of the environment.
///
/// A file without any key is refused, also later: a service that had keys does not become open to all.
fn read_keys(arguments: &Arguments) -> Result<FromFiles<KeyRing>, Failure> {
    let paths: Vec<PathBuf> = arguments.keys.iter().cloned().collect();
    let named = arguments
        .keys
        .as_ref()
        .map(|path| path.display().to_string());
    let may_be_open = arguments.insecure;
    let parse = move |contents: &[Vec<u8>]| {
        let bytes = contents.first().map_or(&[][..], Vec::as_slice);
        let text = std::str::from_utf8(bytes).map_err(|_| "the file is not UTF-8".to_owned())?;
        let ring = KeyRing::parse(text)?.with(keys_of_environment()?);
        match &named {
            Some(path) if ring.is_empty() => Err(format!(
                "{path} holds no key: make one with `--new-key NAME`"
            )),
            None if ring.is_empty()
                && !may_be_open
                && std::env::var_os(KEYS_VARIABLE).is_some() =>
            {
                Err(format!(
                    "{KEYS_VARIABLE} is set and holds no key, which would open the service: make one with `--new-key \
                 NAME`, or take the variable away"
                ))
            }
            _ => Ok(ring),
        }
    };
    FromFiles::read("keys", paths, parse).map_err(|e| config(format!("keys: {e}")))
}

/// Reads the keys of the environment, whose lines end with `;` as well.
fn keys_of_environment() -> Result<KeyRing, String> {
    let text = std::env::var(KEYS_VARIABLE).unwrap_or_default();
    let parsed = KeyRing::parse(&text.replace(';', "\n"));
    parsed.map_err(|e| format!("{KEYS_VARIABLE}, {e}"))
}
