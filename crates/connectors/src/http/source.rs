//! Rows behind an HTTP address: downloaded when the first of them is asked for.

use std::{fs::File, io::Seek as _, path::Path};

use artifact::Digest;
use dataset::{RawBatch, Schema, Source, SourceError, SourceUri};
use formats::{FileFormat, Layout};

use super::{
    address::{Address, Paging},
    archive,
    client::Client,
    download::{Download, Limits, download, no_spool},
    encoding,
    format::{Kind, name_of},
    kept::Kept,
    pages,
};

/// A file or the pages of an API.
///
/// What is downloaded lies in a temporary file, so that memory holds a batch alone, and a connection does
/// not wait for whoever reads.
pub(crate) struct HttpSource {
    address: Address,
    client: Client,
    layout: Layout,
    kept: Option<Kept>,
    rows: Option<Box<dyn Source>>,
}

impl HttpSource {
    /// Makes the source of an address; nothing is asked before the first batch is.
    pub(crate) fn open(uri: &SourceUri, schema: &Schema) -> Result<Self, SourceError> {
        let address = Address::parse(uri)?;
        Ok(Self {
            client: Client::new(&address)?,
            address,
            layout: Layout::of(&schema.file, schema.file_columns()),
            kept: None,
            rows: None,
        })
    }

    /// Lets downloads of one file be kept in a directory.
    pub(crate) fn keeping(mut self, directory: &Path) -> Self {
        self.kept = Some(Kept::in_directory(directory));
        self
    }

    fn fetch(&mut self) -> Result<Box<dyn Source>, SourceError> {
        if self.address.paging != Paging::Whole {
            let lines = pages::collect(&mut self.client, &self.address)?;
            return self.read(lines, &FileFormat::JsonLines);
        }
        let (url, limits) = (&self.address.url, Limits::of(&self.address));
        let mut download = match &self.kept {
            Some(kept) => kept.download(&mut self.client, url, limits, self.address.sha256)?,
            None => download(&mut self.client, url, limits)?,
        };
        self.check_digest(&mut download)?;
        let download = encoding::decoded(&self.client, download, limits)?;
        let (kind, name) = self.kind(&download)?;
        match kind {
            Kind::Rows(_) if self.address.records.is_some() => Err(self
                .client
                .malformed("`records` says where a JSON document has them, but it is none")),
            // The name may be of what has been unpacked already.
            Kind::Rows(format) if encoding::is_packed(&download.headers) => {
                self.read(download.file, &format)
            }
            Kind::Rows(format) => self.read_named(download.file, &name, &format),
            Kind::Json => self.read(self.lines(&download)?, &FileFormat::JsonLines),
            Kind::Zip => self.unpack(download),
        }
    }

    fn unpack(&self, download: Download) -> Result<Box<dyn Source>, SourceError> {
        let is_rows =
            |name: &str| Kind::of_name(name, &self.layout).is_some_and(|kind| kind != Kind::Zip);
        let member = self.address.member.as_deref();
        let (file, name) =
            archive::unpack(download.file, member, is_rows, Limits::of(&self.address))
                .map_err(|reason| self.client.malformed(reason))?;
        match Kind::of_name(&name, &self.layout) {
            Some(Kind::Rows(format)) => self.read_named(file, &name, &format),
            Some(Kind::Json) => {
                let document = Download { file, ..download };
                self.read(self.lines(&document)?, &FileFormat::JsonLines)
            }
            _ => Err(self
                .client
                .malformed(format!("`{name}` is of no known format"))),
        }
    }

    fn lines(&self, document: &Download) -> Result<File, SourceError> {
        pages::lines_of(&self.client, document, self.address.records.as_ref())
    }

    fn read(&self, file: File, format: &FileFormat) -> Result<Box<dyn Source>, SourceError> {
        formats::read_file(file, self.address.location.clone(), format)
    }

    fn read_named(
        &self,
        file: File,
        name: &str,
        format: &FileFormat,
    ) -> Result<Box<dyn Source>, SourceError> {
        let location = self.address.location.clone();
        formats::read_named(file, Path::new(name), location, format)
    }

    /// Tells the kind of what was downloaded, and the name that tells it.
    fn kind(&self, download: &Download) -> Result<(Kind, String), SourceError> {
        let (asked, given) = (&self.address.url, &download.url);
        let name = match &self.address.format {
            Some(format) => Some(format!("x.{format}")),
            None if self.address.records.is_some() && self.address.member.is_none() => {
                Some("x.json".to_owned())
            }
            None => name_of(asked, given, &download.headers, &self.layout),
        };
        let found = name.and_then(|name| Some((Kind::of_name(&name, &self.layout)?, name)));
        found.ok_or_else(|| SourceError::Unsupported {
            location: self.address.location.clone(),
            reason:
                "its format is not told by its name or content type: say it, #format=csv (or tsv, \
                     jsonl, json, arff, parquet, zip)"
                    .to_owned(),
        })
    }

    fn check_digest(&self, download: &mut Download) -> Result<(), SourceError> {
        let Some(expected) = self.address.sha256 else {
            return Ok(());
        };
        let found = Digest::of_reader(&download.file);
        let found = found.and_then(|digest| download.file.rewind().map(|()| digest));
        let found = found.map_err(|e| self.client.unavailable(no_spool(&e)))?;
        if found == expected {
            return Ok(());
        }
        Err(self.client.malformed(format!(
            "its SHA-256 is {found}, not the pinned {expected}: it is damaged, or there is another version"
        )))
    }
}

impl Source for HttpSource {
    fn description(&self) -> &str {
        &self.address.location
    }

    fn next_batch(&mut self) -> Result<Option<RawBatch>, SourceError> {
        let mut rows = match self.rows.take() {
            Some(rows) => rows,
            None => self.fetch()?,
        };
        let batch = rows.next_batch();
        self.rows = Some(rows);
        batch
    }
}
