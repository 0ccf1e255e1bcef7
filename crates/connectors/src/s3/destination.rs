//! An object as a destination: written beside, checked, and then put in its place in one step.

use std::{
    fs::File,
    io::{self, Seek as _, SeekFrom},
    path::Path,
    sync::{Arc, Mutex},
};

use dataset::{
    Destination, LoadMode, Loaded, RawBatch, Remains, Schema, Sink, SinkError, SourceError,
    SourceUri, Tally,
};
use formats::{FileFormat, Layout};

use super::{
    address::{Address, FORMAT, Keys},
    connection::Connection,
    source::S3Source,
    upload::{Content, Upload},
};
use crate::{
    failure::Cause,
    spool::no_room,
    staging::Staging,
    written::{as_sink_error, tally, whole},
};

/// Where records are loaded.
///
/// They are written to a temporary file, which is read back before anything is sent: then it becomes an
/// object in one step, which is read back as well. An appended object is named by its load, or says in
/// an entry of its own which load it is, so that a repeated one finds it.
pub(crate) struct S3Destination {
    connection: Connection,
    schema: Schema,
    is_addition: bool,
    format: FileFormat,
    load: String,
    key: String,
    state: State,
}

enum State {
    New,
    /// An earlier attempt has come to its end.
    There,
    /// The file goes before its directory.
    Writing(Box<dyn Sink>, Staging),
    Written(File, Tally),
}

impl S3Destination {
    pub(crate) fn open(
        uri: &SourceUri,
        schema: &Schema,
        mode: LoadMode,
    ) -> Result<Self, SourceError> {
        let mut address = Address::parse(uri)?;
        let format =
            check(&mut address, schema, &mode).map_err(|reason| SourceError::Unsupported {
                location: uri.to_string(),
                reason,
            })?;
        Ok(Self {
            connection: Connection::with(address)?,
            schema: schema.clone(),
            is_addition: mode == LoadMode::Append,
            format,
            load: String::new(),
            key: String::new(),
            state: State::New,
        })
    }

    /// Refuses a bucket that is not there; one that must not be listed may be written to.
    fn check_bucket(&self) -> Result<(), SinkError> {
        let store = &self.connection.store;
        match self.connection.block_on(store.page(None, Some(1))) {
            Err(trouble) if trouble.cause != Cause::Permission => Err(trouble.into()),
            _ => Ok(()),
        }
    }

    /// Returns whether this load is there already.
    fn is_there(&self) -> Result<bool, SinkError> {
        let store = &self.connection.store;
        match self.connection.block_on(store.load_of(&self.key))? {
            None => Ok(false),
            Some(load) if load == self.load => Ok(true),
            Some(_) => Err(self.occupied()),
        }
    }

    fn occupied(&self) -> SinkError {
        SinkError::Rejected {
            location: self.connection.address().location_of(&self.key),
            reason: "there is another object already: `--mode replace` writes over it; a key that ends with `/` \
                     or has a `*` adds objects"
                .to_owned(),
        }
    }

    /// Begins the temporary file.
    fn create(&self) -> Result<State, SinkError> {
        let staging =
            Staging::elsewhere().map_err(|e| self.unavailable(no_room("the file", &e)))?;
        let sink = formats::create(&staging.path().join(self.file_name()), &self.format)?;
        Ok(State::Writing(sink, staging))
    }

    /// Returns a name that tells the format as the object's does.
    fn file_name(&self) -> String {
        let ending = match &self.connection.address().format {
            Some(format) => format,
            None => ending(&self.key),
        };
        format!("{}.{ending}", self.load)
    }

    /// Reads the object back.
    fn read_object(&self) -> Result<Tally, SinkError> {
        let mut address = self.connection.address().clone();
        address.keys = Keys::One(self.key.clone());
        let connection = self.connection.to(address);
        let mut source = S3Source::of(connection, &self.schema).map_err(as_sink_error)?;
        tally(&mut source, &self.schema)
    }

    fn unavailable(&self, reason: impl Into<String>) -> SinkError {
        SinkError::Unavailable {
            location: self.connection.address().location_of(&self.key),
            reason: reason.into(),
        }
    }
}

impl Destination for S3Destination {
    fn description(&self) -> &str {
        &self.connection.address().location
    }

    fn begin(&mut self, load: &str) -> Result<Option<u64>, SinkError> {
        load.clone_into(&mut self.load);
        self.key = self.connection.address().key_of_load(load);
        self.check_bucket()?;
        self.state = match self.is_addition && self.is_there()? {
            true => State::There,
            false => self.create()?,
        };
        // Telling their number would be reading them all.
        Ok(None)
    }

    fn load(&mut self, batch: &RawBatch) -> Result<Loaded, SinkError> {
        let n_rows = batch.n_rows() as u64;
        let mut loaded = Loaded::default();
        match &mut self.state {
            State::There => loaded.already_there = n_rows,
            State::Writing(sink, _) => {
                sink.write(&whole(batch, &self.schema, &self.format))?;
                loaded.written = n_rows;
            }
            _ => return Err(self.unavailable("the load has not begun")),
        }
        Ok(loaded)
    }

    fn read_back(&mut self) -> Result<Tally, SinkError> {
        let (sink, staging) = match std::mem::replace(&mut self.state, State::There) {
            State::Writing(sink, staging) => (sink, staging),
            _ => return self.read_object(),
        };
        sink.finish()?;
        let path = staging.path().join(self.file_name());
        let failed = |e: &io::Error| self.unavailable(no_room("the file", e));
        let file = File::open(&path).map_err(|e| failed(&e))?;
        // It lives on without a name.
        drop(staging);
        let copy = file.try_clone().map_err(|e| failed(&e))?;
        let location = path.display().to_string();
        let source = formats::read_file(copy, location, &self.format);
        let found = tally(source.map_err(as_sink_error)?.as_mut(), &self.schema)?;
        self.state = State::Written(file, found);
        Ok(found)
    }

    fn publish(&mut self) -> Result<(), SinkError> {
        let (mut file, sent) = match std::mem::replace(&mut self.state, State::There) {
            State::Written(file, sent) => (file, sent),
            _ => return Ok(()),
        };
        let n_bytes = file.seek(SeekFrom::End(0));
        let n_bytes = n_bytes.map_err(|e| self.unavailable(e.to_string()))?;
        let upload = Upload {
            store: self.connection.store.clone(),
            key: self.key.clone(),
            load: self.load.clone(),
            is_addition: self.is_addition,
            content_type: content_type(&self.key),
            content: Content::File(Arc::new(Mutex::new(file))),
            n_bytes,
        };
        match self.connection.block_on(upload.run()) {
            // It was not there before; an equal one would have been taken for this.
            Err(trouble) if self.is_addition && trouble.cause == Cause::Changed => {
                return Err(self.occupied());
            }
            uploaded => uploaded?,
        }
        let found = self.read_object()?;
        if found == sent {
            return Ok(());
        }
        Err(self.unavailable(format!(
            "read back {found}, but sent {sent}: others have written to it; push again"
        )))
    }

    fn remains(&self) -> Remains {
        Remains::Nothing
    }

    fn take_back(&mut self, _earlier: bool) -> Result<bool, SinkError> {
        // Nobody sees it before it is whole.
        Ok(true)
    }
}

/// Checks that a mode can be carried out at an address; returns the format of what is written.
fn check(address: &mut Address, schema: &Schema, mode: &LoadMode) -> Result<FileFormat, String> {
    if address.version.is_some() {
        return Err("a version is read, not written: leave `version_id` out".to_owned());
    }
    match (mode, &address.keys) {
        (LoadMode::Upsert(_), _) => {
            return Err(
                "an object is written as a whole: --mode replace writes it anew, and --mode append \
                 below a prefix adds one"
                    .to_owned(),
            );
        }
        (LoadMode::Replace, Keys::Prefix(_) | Keys::Pattern(_)) => {
            return Err("one object is replaced: name it, s3://BUCKET/KEY.parquet".to_owned());
        }
        (_, Keys::Pattern(pattern)) if pattern.filled("x").is_none() => {
            return Err(
                "the name of what is added takes the place of one `*`, not of several".to_owned(),
            );
        }
        (_, Keys::Prefix(_)) if address.format.is_none() => {
            address.format = Some(FORMAT.to_owned());
        }
        _ => {}
    }
    let key = match &address.keys {
        Keys::Pattern(pattern) => pattern.filled("x").unwrap_or_default(),
        keys => keys.prefix().to_owned(),
    };
    let name = address.named(&key);
    let layout = Layout::of(&schema.file, schema.file_columns());
    FileFormat::to_write(Path::new(&name), &layout).map_err(|error| match error {
        SourceError::Unsupported { reason, .. } => {
            format!("`{name}`: {reason}; `?format=csv` says it")
        }
        other => other.to_string(),
    })
}

/// Returns what tells the format, compression included.
fn ending(key: &str) -> &str {
    let name = key.rsplit('/').next().unwrap_or(key);
    let plain = name.len()
        - if name.to_lowercase().ends_with(".gz") {
            3
        } else {
            0
        };
    name[..plain].rfind('.').map_or("", |at| &name[at + 1..])
}

fn content_type(key: &str) -> &'static str {
    let ending = ending(key).to_lowercase();
    match ending.as_str() {
        "csv" => "text/csv",
        "jsonl" | "ndjson" => "application/x-ndjson",
        "parquet" => "application/vnd.apache.parquet",
        _ if ending.ends_with(".gz") => "application/gzip",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests;
