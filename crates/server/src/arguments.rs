//! The command line and the environment of the service.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    str::FromStr,
};

use clap::{
    Parser, ValueEnum,
    builder::{OsStringValueParser, TypedValueParser as _},
};
use dataset::SourceUri;

/// Serves the champion of a model registry: predictions, explanations, a page for people.
#[derive(Parser, Debug, Clone)]
#[command(name = "netsec-server", version)]
pub struct Arguments {
    /// Address of the public listener
    #[arg(
        long,
        env = "NETSEC_LISTEN",
        default_value = "127.0.0.1:5000",
        value_parser = listener_address,
        value_name = "ADDRESS:PORT"
    )]
    pub listen: SocketAddr,
    /// Address of the listener for administration, or `off`
    #[arg(
        long,
        env = "NETSEC_ADMIN_LISTEN",
        default_value = "127.0.0.1:5001",
        value_name = "ADDRESS:PORT"
    )]
    pub admin_listen: AdminAddress,
    /// Source that administrators may train on, and another by each of these flags; the data set is `phishing` unless
    /// it is given. Without the flag those of the variable NETSEC_TRAIN_SOURCES, separated by `;` or line ends
    #[arg(long = "train-source", value_name = "NAME[:DATASET]=URI")]
    pub sources: Vec<String>,
    /// The program `netsec`; by default the one beside this program, else the one on the path
    #[arg(long, env = "NETSEC_PROGRAM", value_name = "FILE")]
    pub netsec: Option<PathBuf>,
    /// Directory with the model registry, unless --registry names another place, and of trainings
    #[arg(
        long,
        env = "NETSEC_ARTIFACTS",
        default_value = "artifacts",
        value_name = "DIR"
    )]
    pub artifacts: PathBuf,
    /// The registry: a directory or, built with the feature s3, s3://BUCKET/PREFIX; the directory `registry`
    /// below the artifacts by default
    #[arg(long, env = "NETSEC_REGISTRY", value_name = "DIR|URI")]
    pub registry: Option<SourceUri>,
    /// Serve only versions that one of these public keys has signed: a PEM file
    #[arg(
        long,
        env = "NETSEC_TRUSTED_KEYS",
        value_name = "FILE",
        value_parser = OsStringValueParser::new().map(PathBuf::from)
    )]
    pub trusted_keys: Option<PathBuf>,
    /// Model to serve; by default `phishing`, else `phishing-simulated`, else the only one there is
    #[arg(long, env = "NETSEC_MODEL", value_name = "NAME")]
    pub model: Option<String>,
    /// File of API keys: one `NAME SCOPE SHA256` a line, as --new-key prints it
    #[arg(long, env = "NETSEC_KEYS_FILE", value_name = "FILE")]
    pub keys: Option<PathBuf>,
    /// File with the certificate and its chain, as PEM: both listeners speak TLS alone
    #[arg(
        long,
        env = "NETSEC_TLS_CERTIFICATE",
        value_name = "FILE",
        requires = "tls_key"
    )]
    pub tls_certificate: Option<PathBuf>,
    /// File with the certificate's private key, as PEM
    #[arg(
        long,
        env = "NETSEC_TLS_KEY",
        value_name = "FILE",
        requires = "tls_certificate"
    )]
    pub tls_key: Option<PathBuf>,
    /// Listen beyond this machine without keys
    #[arg(long, env = "NETSEC_INSECURE")]
    pub insecure: bool,
    /// Name by which clients may call the service, besides localhost and plain addresses
    #[arg(
        long = "allow-host",
        env = "NETSEC_ALLOW_HOST",
        value_delimiter = ',',
        value_name = "NAME"
    )]
    pub allowed_hosts: Vec<String>,
    /// Origin whose pages may call the service, such as https://portal.example
    #[arg(
        long = "allow-origin",
        env = "NETSEC_ALLOW_ORIGIN",
        value_delimiter = ',',
        value_name = "ORIGIN"
    )]
    pub allowed_origins: Vec<String>,
    /// Directory in which predictions are logged, as Parquet; they are not where none is named
    #[arg(long, env = "NETSEC_PREDICTION_LOG", value_name = "DIR")]
    pub prediction_log: Option<PathBuf>,
    /// Share of the predictions that are logged
    #[arg(
        long,
        env = "NETSEC_PREDICTION_LOG_SHARE",
        default_value_t = 1.0,
        value_name = "SHARE"
    )]
    pub prediction_log_share: f64,
    /// Bytes from which on another file of the log is begun
    #[arg(
        long,
        env = "NETSEC_PREDICTION_LOG_BYTES",
        default_value_t = 64 << 20,
        value_name = "BYTES"
    )]
    pub prediction_log_bytes: u64,
    /// Seconds after which another file of the log is begun
    #[arg(
        long,
        env = "NETSEC_PREDICTION_LOG_AGE",
        default_value_t = 3600.0,
        value_name = "SECONDS"
    )]
    pub prediction_log_age: f64,
    /// Files of the log that are kept; older ones are removed
    #[arg(
        long,
        env = "NETSEC_PREDICTION_LOG_KEEP",
        default_value_t = 100,
        value_name = "N"
    )]
    pub prediction_log_keep: usize,
    /// Bytes of a JSON body at most
    #[arg(
        long,
        env = "NETSEC_MAX_BODY",
        default_value_t = 8 << 20,
        value_name = "BYTES"
    )]
    pub max_body: usize,
    /// Bytes of all JSON bodies that are read or worked on at a time; each takes several times its size meanwhile.
    /// Sixteen times --max-body by default
    #[arg(long, env = "NETSEC_MAX_BODIES", value_name = "BYTES")]
    pub max_bodies: Option<usize>,
    /// Bytes of these bodies that one key may have, or one address where no keys exist; half of --max-bodies by
    /// default, and at least --max-body
    #[arg(long, env = "NETSEC_MAX_BODIES_PER_CLIENT", value_name = "BYTES")]
    pub max_bodies_per_client: Option<usize>,
    /// Records of a JSON body at most
    #[arg(
        long,
        env = "NETSEC_MAX_ROWS",
        default_value_t = 10_000,
        value_name = "N"
    )]
    pub max_rows: usize,
    /// Bytes of an uploaded file at most
    #[arg(long, env = "NETSEC_MAX_UPLOAD", default_value_t = 16 << 30, value_name = "BYTES")]
    pub max_upload: u64,
    /// Seconds that an upload may take, from its head to its end
    #[arg(
        long,
        env = "NETSEC_UPLOAD_TIME",
        default_value_t = 3600.0,
        value_name = "SECONDS"
    )]
    pub upload_time: f64,
    /// Bytes a second that an upload must have at least, on average over --upload-rate-span
    #[arg(
        long,
        env = "NETSEC_MIN_UPLOAD_RATE",
        default_value_t = 4096.0,
        value_name = "BYTES"
    )]
    pub min_upload_rate: f64,
    /// Seconds of waiting for an upload over which its rate is averaged
    #[arg(
        long,
        env = "NETSEC_UPLOAD_RATE_SPAN",
        default_value_t = 20.0,
        value_name = "SECONDS"
    )]
    pub upload_rate_span: f64,
    /// Files at a time; each takes a thread and the memory of a batch
    #[arg(
        long,
        env = "NETSEC_MAX_UPLOADS",
        default_value_t = 32,
        value_name = "N"
    )]
    pub max_uploads: usize,
    /// Files at a time of one key, or of one address where no keys exist; half of --max-uploads by default
    #[arg(long, env = "NETSEC_MAX_UPLOADS_PER_CLIENT", value_name = "N")]
    pub max_uploads_per_client: Option<usize>,
    /// Connections at a time, over all threads
    #[arg(
        long,
        env = "NETSEC_MAX_CONNECTIONS",
        default_value_t = 25_000,
        value_name = "N"
    )]
    pub max_connections: usize,
    /// Requests a second that a key may make, as many of them at once; no limit by default
    #[arg(long, env = "NETSEC_MAX_RATE", value_name = "N")]
    pub max_rate: Option<f64>,
    /// Seconds that a client may take for its request's head, for a JSON body, and between two parts
    /// of an upload
    #[arg(
        long,
        env = "NETSEC_CLIENT_TIMEOUT",
        default_value_t = 10.0,
        value_name = "SECONDS"
    )]
    pub client_timeout: f64,
    /// Seconds between two looks at the registry
    #[arg(
        long,
        env = "NETSEC_POLL",
        default_value_t = 2.0,
        value_name = "SECONDS"
    )]
    pub poll: f64,
    /// Seconds that requests in progress may take once the service is told to stop
    #[arg(
        long,
        env = "NETSEC_DRAIN",
        default_value_t = 30,
        value_name = "SECONDS"
    )]
    pub drain: u64,
    /// Threads that answer requests; one a core by default
    #[arg(long, env = "NETSEC_WORKERS", value_name = "N")]
    pub workers: Option<usize>,
    /// Check the configuration and the champion, then exit
    #[arg(long)]
    pub check: bool,
    /// Make an API key of this name: the key is printed once, with the line for the file of keys
    #[arg(long, value_name = "NAME")]
    pub new_key: Option<String>,
    /// What the new key may do
    #[arg(long, value_enum, default_value = "predict", requires = "new_key")]
    pub scope: Scope,
}

/// Where administration listens, if it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AdminAddress(pub Option<SocketAddr>);

impl FromStr for AdminAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "off" => Ok(Self(None)),
            _ => listener_address(text).map(|address| Self(Some(address))),
        }
    }
}

/// Reads an address with its port. Of names `localhost` alone is known: another would have to be looked up.
fn listener_address(text: &str) -> Result<SocketAddr, String> {
    let of_localhost = || {
        let (name, port) = text.rsplit_once(':')?;
        let port = port.parse().ok()?;
        name.eq_ignore_ascii_case("localhost")
            .then_some(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
    };
    let address = text.parse().ok().or_else(of_localhost);
    address.ok_or_else(|| {
        "write an address and a port, such as 127.0.0.1:5000, 0.0.0.0:5000, [::1]:5000 or localhost:5000"
            .to_owned()
    })
}

/// What a key may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Scope {
    // Without a word each, which would turn the help of the flag into a paragraph.
    Predict,
    Admin,
}
