//! From the URI of records to their source or destination: files, simulated data and, a feature each,
//! databases. From the URI of a bucket to a registry's blobs.
//!
//! Owns the schemes, and how servers are asked. Must not know what stages do, nor the command line.

#[cfg(any(feature = "dynamodb", feature = "s3"))]
mod aws;
#[cfg(any(
    feature = "dynamodb",
    feature = "http",
    feature = "mongodb",
    feature = "s3",
    feature = "sql"
))]
mod backoff;
#[cfg(feature = "dynamodb")]
mod dynamodb;
#[cfg(any(
    feature = "dynamodb",
    feature = "mongodb",
    feature = "s3",
    feature = "sql"
))]
mod failure;
mod file;
#[cfg(feature = "http")]
mod http;
#[cfg(any(feature = "mongodb", feature = "sql"))]
mod load;
#[cfg(feature = "mongodb")]
mod mongodb;
#[cfg(any(
    feature = "dynamodb",
    feature = "http",
    feature = "mongodb",
    feature = "s3",
    feature = "sql"
))]
mod parameter;
#[cfg_attr(
    not(any(
        feature = "dynamodb",
        feature = "http",
        feature = "mongodb",
        feature = "s3",
        feature = "sql"
    )),
    expect(dead_code)
)]
mod probe;
#[cfg(feature = "s3")]
mod s3;
#[cfg(any(feature = "http", feature = "s3"))]
mod spool;
#[cfg(feature = "sql")]
mod sql;
mod staging;
#[cfg(any(
    feature = "dynamodb",
    feature = "http",
    feature = "mongodb",
    feature = "s3",
    feature = "sql"
))]
mod tls;
mod written;

use std::path::{Path, PathBuf};
#[cfg(feature = "s3")]
use std::sync::Arc;

use artifact::{Digest, ErrorKind, Failure};
use dataset::{Destination, LoadMode, Schema, Source, SourceUri};
use formats::{FileFormat, Layout};

pub use probe::{Probe, Probed};

/// Opens the source that a URI names: a path, `file://…`, `synth://NAME?rows=N` or, with the feature
/// `http`, `http(s)://…`, with the feature `mongodb`, `mongodb(+srv)://HOST/DATABASE?collection=NAME`,
/// with the feature `s3`, `s3://BUCKET/KEY`, with the feature `dynamodb`, `dynamodb://TABLE` and, with the
/// feature `sql`, `postgres://`, `mysql://` and `sqlite://` with `?table=` or `?query=`.
///
/// # Errors
/// [`ErrorKind::Usage`] for a scheme that is not known or not supported, and what opening fails with.
pub fn open(uri: &SourceUri, schema: &Schema) -> Result<Box<dyn Source>, Failure> {
    let refuse = |message: String| Err(Failure::new(ErrorKind::Usage, message));
    if let Some(path) = local_path(uri)? {
        return open_file(&path, schema);
    }
    match uri.scheme() {
        // What it says of a wrong address is said of the one without secrets.
        Some("synth") => Ok(Box::new(synth::parse_uri(&uri.to_string())?)),
        #[cfg(feature = "dynamodb")]
        Some("dynamodb") => Ok(Box::new(dynamodb::DynamoSource::open(uri, schema)?)),
        #[cfg(feature = "http")]
        Some("http" | "https") => Ok(Box::new(http::HttpSource::open(uri, schema)?)),
        #[cfg(feature = "mongodb")]
        Some("mongodb" | "mongodb+srv") => Ok(Box::new(mongodb::MongoSource::open(uri, schema)?)),
        #[cfg(feature = "s3")]
        Some("s3") => Ok(Box::new(s3::S3Source::open(uri, schema)?)),
        #[cfg(feature = "sql")]
        Some("postgres" | "postgresql" | "mysql" | "sqlite") => {
            Ok(Box::new(sql::SqlSource::open(uri, schema)?))
        }
        Some("file") => refuse(of_a_host(uri)),
        Some(scheme) => refuse(unsupported(scheme)),
        None => refuse(format!("{uri} lacks a slash: write scheme://…")),
    }
}

/// Opens a source as [`open`] does; where it is a file of a web server, what was downloaded is kept in a
/// directory, and not transferred again as long as the server says that it has not changed.
///
/// # Errors
/// As [`open`].
#[cfg_attr(not(feature = "http"), expect(unused_variables))]
pub fn open_keeping(
    uri: &SourceUri,
    schema: &Schema,
    downloads: &Path,
) -> Result<Box<dyn Source>, Failure> {
    match uri.scheme() {
        #[cfg(feature = "http")]
        Some("http" | "https") => {
            let opened = http::HttpSource::open(uri, schema)?;
            Ok(Box::new(opened.keeping(downloads)))
        }
        _ => open(uri, schema),
    }
}

/// Opens the source of an earlier run, which has kept its address without secrets: the environment
/// variable of that name has it with them.
///
/// # Errors
/// [`ErrorKind::Usage`] when secrets are lacking and the variable does not supply them, and what
/// [`open`] fails with.
pub fn reopen(
    kept: &SourceUri,
    variable: &str,
    schema: &Schema,
) -> Result<Box<dyn Source>, Failure> {
    // A file is opened without them.
    if kept.local_path().is_some() || !kept.lacks_secrets() {
        return open(kept, schema);
    }
    let refuse = |reason: String| {
        let message = format!("{kept} was kept without its secrets: {reason}");
        Err(Failure::new(ErrorKind::Usage, message))
    };
    match std::env::var(variable).map(SourceUri::new) {
        Ok(whole) if whole.to_string() == kept.to_string() => open(&whole, schema),
        Ok(other) => refuse(format!(
            "{variable}, which is to hold the same address with them, holds {other}"
        )),
        Err(_) => refuse(format!(
            "set the environment variable {variable} to the whole address"
        )),
    }
}

/// Returns whether a URI names data that is generated, not observed.
pub fn is_simulated(uri: &SourceUri) -> bool {
    uri.scheme() == Some("synth")
}

/// Returns the path of an address that is one.
fn local_path(uri: &SourceUri) -> Result<Option<PathBuf>, Failure> {
    let path = uri.local_path();
    if path
        .as_ref()
        .is_some_and(|path| path.as_os_str().is_empty())
    {
        let message = "the address of the records is empty: give a path or a URI";
        return Err(Failure::new(ErrorKind::Usage, message));
    }
    Ok(path)
}

fn of_a_host(uri: &SourceUri) -> String {
    format!("{uri} names a host: write file:///PATH for a file of this machine, or the path alone")
}

fn open_file(path: &Path, schema: &Schema) -> Result<Box<dyn Source>, Failure> {
    let names = schema.file_columns();
    let layout = Layout::of(&schema.file, names);
    let format = FileFormat::of_path(path, &layout)?;
    Ok(formats::open(path, &format)?)
}

/// Opens the destination that a URI names, a file or what a feature supports, to load records of a schema
/// into; nothing is asked of it before it begins.
///
/// # Errors
/// [`ErrorKind::Usage`] for what is no destination or not supported, and what opening fails with.
pub fn destination(
    uri: &SourceUri,
    schema: &Schema,
    mode: LoadMode,
) -> Result<Box<dyn Destination>, Failure> {
    if let Some(path) = local_path(uri)? {
        let opened = file::FileDestination::open(uri, path, schema, &mode)?;
        return Ok(Box::new(opened));
    }
    let message = match uri.scheme() {
        Some("file") => of_a_host(uri),
        #[cfg(feature = "dynamodb")]
        Some("dynamodb") => {
            let opened = dynamodb::DynamoDestination::open(uri, schema, mode)?;
            return Ok(Box::new(opened));
        }
        #[cfg(feature = "mongodb")]
        Some("mongodb" | "mongodb+srv") => {
            let opened = mongodb::MongoDestination::open(uri, schema, mode)?;
            return Ok(Box::new(opened));
        }
        #[cfg(feature = "s3")]
        Some("s3") => return Ok(Box::new(s3::S3Destination::open(uri, schema, mode)?)),
        #[cfg(feature = "sql")]
        Some("postgres" | "postgresql" | "mysql" | "sqlite") => {
            let opened = sql::SqlDestination::open(uri, schema, mode)?;
            return Ok(Box::new(opened));
        }
        // There is no pushing to web servers.
        Some(scheme) if !matches!(scheme, "http" | "https") && feature_of(scheme).is_some() => {
            unsupported(scheme)
        }
        _ => format!(
            "{uri}: records are pushed to a file (.csv, .jsonl, .parquet), to \
             mongodb://HOST/DATABASE?collection=NAME, to postgres://HOST/DATABASE?table=NAME, mysql:// or \
             sqlite:// alike, to s3://BUCKET/KEY or to dynamodb://TABLE"
        ),
    };
    Err(Failure::new(ErrorKind::Usage, message))
}

/// Tries the steps to a source that is a server; there are none to a file.
pub fn probe(uri: &SourceUri) -> Probed {
    match uri.scheme() {
        #[cfg(feature = "dynamodb")]
        Some("dynamodb") => dynamodb::probe(uri),
        #[cfg(feature = "http")]
        Some("http" | "https") => http::probe(uri),
        #[cfg(feature = "mongodb")]
        Some("mongodb" | "mongodb+srv") => mongodb::probe(uri),
        #[cfg(feature = "s3")]
        Some("s3") => s3::probe(uri),
        #[cfg(feature = "sql")]
        Some("postgres" | "postgresql" | "mysql" | "sqlite") => sql::probe(uri),
        _ => Probed::default(),
    }
}

/// Opens the bucket of a registry, `s3://BUCKET/PREFIX`; nothing is asked of it yet.
///
/// # Errors
/// [`ErrorKind::Usage`] for an address that is no place of a registry.
#[cfg(feature = "s3")]
pub fn registry_bucket(uri: &SourceUri) -> Result<Arc<dyn registry::BlobStore>, Failure> {
    Ok(Arc::new(s3::S3Blobs::open(uri)?))
}

/// Opens a prefix of a bucket in which others keep files: nothing about the bucket is changed.
///
/// # Errors
/// What is wrong with the address, or who asks is not known.
#[cfg(feature = "s3")]
pub fn bucket_of_others(uri: &SourceUri) -> Result<Arc<dyn registry::BlobStore>, Failure> {
    Ok(Arc::new(s3::S3Blobs::of_others(uri)?))
}

/// Says that a registry cannot lie in a bucket without the feature `s3`.
///
/// # Errors
/// [`ErrorKind::Usage`], always.
#[cfg(not(feature = "s3"))]
pub fn registry_bucket<T>(uri: &SourceUri) -> Result<T, Failure> {
    let scheme = uri.scheme().unwrap_or_default();
    Err(Failure::new(ErrorKind::Usage, unsupported(scheme)))
}

/// Tries the steps to the bucket of a registry, whether it keeps versions, and whether it can be written.
pub fn probe_registry(uri: &SourceUri) -> Probed {
    match uri.scheme() {
        #[cfg(feature = "s3")]
        Some("s3") => s3::probe_registry(uri),
        _ => Probed::default(),
    }
}

/// Returns the file that an address names as a database.
pub fn database_file(uri: &SourceUri) -> Option<PathBuf> {
    match uri.scheme() {
        #[cfg(feature = "sql")]
        Some("sqlite") => sql::database_file(uri),
        _ => None,
    }
}

/// Returns the files that a database keeps beside its own, for as long as somebody has it open.
pub fn files_beside_database(uri: &SourceUri) -> Vec<PathBuf> {
    let Some(file) = database_file(uri) else {
        return Vec::new();
    };
    // Where the file is to which a link leads.
    let file = file.canonicalize().unwrap_or(file);
    let beside = ["-journal", "-wal", "-shm"].map(|end| {
        let mut path = file.clone().into_os_string();
        path.push(end);
        path.into()
    });
    beside.to_vec()
}

/// Returns whether what is pushed to an address would be read from another one with what is there; of files
/// their paths tell.
pub fn is_read_back(to: &SourceUri, from: &SourceUri) -> bool {
    match (to.scheme(), from.scheme()) {
        #[cfg(feature = "s3")]
        (Some("s3"), Some("s3")) => s3::is_read_back(to, from),
        _ => false,
    }
}

/// Returns a digest of what else than its address, without secrets, says what a source gives: another
/// server, say, and whoever asks it. What one may read is kept apart from what another may.
pub fn identity(uri: &SourceUri) -> Option<Digest> {
    match uri.scheme() {
        #[cfg(feature = "dynamodb")]
        Some("dynamodb") => Some(dynamodb::identity()),
        #[cfg(feature = "http")]
        Some("http" | "https") => Some(http::identity(uri)),
        #[cfg(feature = "mongodb")]
        Some("mongodb" | "mongodb+srv") => Some(mongodb::identity(uri)),
        #[cfg(feature = "s3")]
        Some("s3") => Some(s3::identity(uri)),
        #[cfg(feature = "sql")]
        Some("postgres" | "postgresql" | "mysql" | "sqlite") => Some(sql::identity(uri)),
        _ => None,
    }
}

/// Lets servers forget what was on its way to them from this process, which is about to end, and removes
/// what it keeps on disk meanwhile.
pub fn abandon() {
    staging::abandon();
    #[cfg(feature = "s3")]
    s3::abandon();
}

/// Says what would support a scheme, or which schemes there are.
fn unsupported(scheme: &str) -> String {
    match feature_of(scheme) {
        Some(feature) => format!(
            "`{scheme}://` is not supported by this build: build it with the feature `{feature}`: \
             cargo build --release -p orchestrator --features {feature}"
        ),
        None => format!(
            "`{scheme}://` is not supported: give a path, file://… or synth://NAME?rows=N, or with \
             `cargo build --release -p orchestrator --features full` one of the addresses of \
             docs/connectors.md: https://, mongodb://, postgres://, mysql://, sqlite://, s3://, \
             dynamodb://"
        ),
    }
}

/// Returns the feature that supports a scheme.
fn feature_of(scheme: &str) -> Option<&'static str> {
    match scheme {
        "dynamodb" => Some("dynamodb"),
        "http" | "https" => Some("http"),
        "mongodb" | "mongodb+srv" => Some("mongodb"),
        "postgres" | "postgresql" | "mysql" | "sqlite" => Some("sql"),
        "s3" => Some("s3"),
        _ => None,
    }
}
