//! A file or bytes as an object: visible once it is whole, and nothing left of one that is not.

use std::{
    fs::File,
    io::{self, Read as _, Seek as _, SeekFrom},
    ops::Range,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use aws_sdk_s3::{
    Client,
    operation::head_object::HeadObjectOutput,
    primitives::ByteStream,
    types::{ChecksumAlgorithm, CompletedMultipartUpload, CompletedPart},
};
use bytes::Bytes;
use tokio::{runtime::Handle, task::JoinSet, time::timeout};

use super::{connection::Store, download::PART_BYTES};
use crate::failure::{Cause, Trouble};

/// The object's entry that says which load it is.
pub(super) const LOAD_ENTRY: &str = "netsec-load";
/// Parts that go side by side, each held in memory.
const ABREAST: usize = 4;
/// S3 takes 10,000.
const MAX_PARTS: u64 = 9_000;
/// How long the end of the program waits for the server to forget an upload.
const PATIENCE: Duration = Duration::from_millis(500);

/// What is on its way to become an object.
#[derive(Clone)]
pub(super) struct Upload {
    pub store: Store,
    pub key: String,
    /// Tells this upload from what others write.
    pub load: String,
    /// Whether what is there already must stay.
    pub is_addition: bool,
    pub content_type: &'static str,
    pub content: Content,
    pub n_bytes: u64,
}

/// What is read again whenever a part has to be sent again.
#[derive(Clone)]
pub(super) enum Content {
    File(Arc<Mutex<File>>),
    Bytes(Bytes),
}

impl Upload {
    pub(super) async fn run(&self) -> Result<(), Trouble> {
        let outcome = match self.n_bytes <= PART_BYTES {
            true => self.put().await,
            false => self.put_in_parts().await,
        };
        match outcome {
            Err(trouble) if !self.is_there(&trouble).await => Err(trouble),
            _ => Ok(()),
        }
    }

    /// Returns whether what has failed was done all the same: the answer to an earlier attempt may have been lost.
    async fn is_there(&self, trouble: &Trouble) -> bool {
        // A server may have forgotten an upload that is complete, or have lost every answer.
        let may_be = [
            Cause::Changed,
            Cause::Refused,
            Cause::Missing,
            Cause::Interrupted,
        ];
        may_be.contains(&trouble.cause)
            && matches!(self.store.load_of(&self.key).await, Ok(Some(load)) if load == self.load)
    }

    async fn put(&self) -> Result<(), Trouble> {
        let bytes = self.read(0..self.n_bytes)?;
        let put = || {
            let put = self.store.client.put_object();
            put.bucket(&self.store.address.bucket)
                .key(&self.key)
                .set_if_none_match(self.if_none_match())
                .content_type(self.content_type)
                .metadata(LOAD_ENTRY, &self.load)
                .checksum_algorithm(ChecksumAlgorithm::Crc32)
                .body(ByteStream::from(bytes.clone()))
                .send()
        };
        let asked = self.asked();
        self.store.repeat(&asked, put).await?;
        Ok(())
    }

    async fn put_in_parts(&self) -> Result<(), Trouble> {
        let create = || {
            let create = self.store.client.create_multipart_upload();
            create
                .bucket(&self.store.address.bucket)
                .key(&self.key)
                .content_type(self.content_type)
                .metadata(LOAD_ENTRY, &self.load)
                .checksum_algorithm(ChecksumAlgorithm::Crc32)
                .send()
        };
        let asked = self.asked();
        // One whose answer was lost holds nothing, and is left to the bucket's own rule.
        let created = self.store.repeat(&asked, create).await?;
        let Some(id) = created.upload_id() else {
            let reason = "it gives the upload no name";
            return Err(self.store.trouble(&asked, Cause::Refused, reason));
        };
        let pending = Pending::note(self, id);
        let outcome = match self.parts(id).await {
            Ok(parts) => self.complete(id, parts).await,
            Err(trouble) => Err(trouble),
        };
        if outcome.is_err() {
            self.abort(id).await;
        }
        pending.forget();
        outcome
    }

    /// Lets the server forget the upload, which has failed.
    async fn abort(&self, id: &str) {
        let abort = || {
            let abort = self.store.client.abort_multipart_upload();
            abort
                .bucket(&self.store.address.bucket)
                .key(&self.key)
                .upload_id(id)
                .send()
        };
        match self.store.repeat("abort the upload", abort).await {
            Err(trouble) if trouble.cause != Cause::Missing => {
                let (key, reason) = (&self.key, trouble.reason);
                tracing::warn!(
                    key,
                    id,
                    reason,
                    "an unfinished upload is left on the server"
                );
            }
            _ => {}
        }
    }

    async fn parts(&self, id: &str) -> Result<Vec<CompletedPart>, Trouble> {
        let mut tasks = JoinSet::new();
        let parts = self.parts_by(&mut tasks, id).await;
        // A part that came after an abort would stay.
        tasks.shutdown().await;
        parts
    }

    async fn parts_by(
        &self,
        tasks: &mut JoinSet<Result<CompletedPart, Trouble>>,
        id: &str,
    ) -> Result<Vec<CompletedPart>, Trouble> {
        let part_bytes = PART_BYTES.max(self.n_bytes.div_ceil(MAX_PARTS));
        let starts = (0..self.n_bytes).step_by(part_bytes as usize);
        let mut ranges = (1..).zip(starts.map(|at| at..self.n_bytes.min(at + part_bytes)));
        let mut parts = Vec::new();
        loop {
            while tasks.len() < ABREAST
                && let Some((number, range)) = ranges.next()
            {
                let (upload, id) = (self.clone(), id.to_owned());
                tasks.spawn(async move { upload.part(&id, number, range).await });
            }
            match tasks.join_next().await {
                None => break,
                Some(Ok(part)) => parts.push(part?),
                Some(Err(e)) => {
                    let (asked, reason) = (self.asked(), e.to_string());
                    return Err(self.store.trouble(&asked, Cause::Refused, reason));
                }
            }
        }
        parts.sort_by_key(CompletedPart::part_number);
        Ok(parts)
    }

    async fn part(
        &self,
        id: &str,
        number: i32,
        range: Range<u64>,
    ) -> Result<CompletedPart, Trouble> {
        let bytes = self.read(range)?;
        let put = || {
            let put = self.store.client.upload_part();
            put.bucket(&self.store.address.bucket)
                .key(&self.key)
                .upload_id(id)
                .part_number(number)
                .checksum_algorithm(ChecksumAlgorithm::Crc32)
                .body(ByteStream::from(bytes.clone()))
                .send()
        };
        let asked = format!("write part {number} of `{}`", self.key);
        let part = self.store.repeat(&asked, put).await?;
        Ok(CompletedPart::builder()
            .part_number(number)
            .set_e_tag(part.e_tag().map(str::to_owned))
            .set_checksum_crc32(part.checksum_crc32().map(str::to_owned))
            .build())
    }

    async fn complete(&self, id: &str, parts: Vec<CompletedPart>) -> Result<(), Trouble> {
        let parts = CompletedMultipartUpload::builder()
            .set_parts(Some(parts))
            .build();
        let complete = || {
            let complete = self.store.client.complete_multipart_upload();
            complete
                .bucket(&self.store.address.bucket)
                .key(&self.key)
                .upload_id(id)
                .set_if_none_match(self.if_none_match())
                .multipart_upload(parts.clone())
                .send()
        };
        let asked = self.asked();
        self.store.repeat(&asked, complete).await?;
        Ok(())
    }

    fn if_none_match(&self) -> Option<String> {
        self.is_addition.then(|| "*".to_owned())
    }

    fn read(&self, range: Range<u64>) -> Result<Bytes, Trouble> {
        let file = match &self.content {
            Content::File(file) => file,
            Content::Bytes(bytes) => {
                return Ok(bytes.slice(range.start as usize..range.end as usize));
            }
        };
        let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
        let mut read = || -> io::Result<Vec<u8>> {
            file.seek(SeekFrom::Start(range.start))?;
            let mut bytes = vec![0; (range.end - range.start) as usize];
            file.read_exact(&mut bytes)?;
            Ok(bytes)
        };
        let read = read().map(Bytes::from);
        read.map_err(|e| {
            self.store
                .trouble(&self.asked(), Cause::Refused, e.to_string())
        })
    }

    fn asked(&self) -> String {
        format!("write `{}`", self.key)
    }
}

impl Store {
    /// Returns which load an object is; nothing where there is none, or none that may be looked at.
    pub(super) async fn load_of(&self, key: &str) -> Result<Option<String>, Trouble> {
        let head = self.head_of(key).await?;
        Ok(head.map(|head| {
            let load = head.metadata().and_then(|entries| entries.get(LOAD_ENTRY));
            load.cloned().unwrap_or_default()
        }))
    }

    /// Returns what is known of an object but its content.
    pub(super) async fn head_of(&self, key: &str) -> Result<Option<HeadObjectOutput>, Trouble> {
        let head = || {
            let head = self.client.head_object().bucket(&self.address.bucket);
            head.key(key).send()
        };
        let asked = format!("look for `{key}`");
        match self.repeat(&asked, head).await {
            Ok(head) => Ok(Some(head)),
            Err(trouble) if trouble.cause == Cause::Missing => Ok(None),
            // Who may not list is told no more of an object that is not there.
            Err(trouble) if trouble.cause == Cause::Permission => Ok(None),
            Err(trouble) => Err(trouble),
        }
    }
}

/// An upload that the server holds parts of.
struct Pending {
    id: String,
}

struct Known {
    id: String,
    key: String,
    bucket: String,
    client: Client,
    runtime: Handle,
}

/// Those of this process.
static PENDING: Mutex<Vec<Known>> = Mutex::new(Vec::new());

impl Pending {
    fn note(upload: &Upload, id: &str) -> Self {
        pending().push(Known {
            id: id.to_owned(),
            key: upload.key.clone(),
            bucket: upload.store.address.bucket.clone(),
            client: upload.store.client.clone(),
            runtime: Handle::current(),
        });
        Self { id: id.to_owned() }
    }

    fn forget(self) {
        pending().retain(|known| known.id != self.id);
    }
}

impl Known {
    /// Waits for the server only shortly.
    async fn abort(&self) {
        let abort = self.client.abort_multipart_upload();
        let abort = abort
            .bucket(&self.bucket)
            .key(&self.key)
            .upload_id(&self.id);
        let (key, id) = (&self.key, &self.id);
        if !matches!(timeout(PATIENCE, abort.send()).await, Ok(Ok(_))) {
            tracing::warn!(key, id, "an unfinished upload is left on the server");
        }
    }
}

/// Lets the server forget the uploads of this process, which is about to end.
pub(crate) fn abandon() {
    for known in std::mem::take(&mut *pending()) {
        known.runtime.block_on(known.abort());
    }
}

fn pending() -> MutexGuard<'static, Vec<Known>> {
    PENDING.lock().unwrap_or_else(PoisonError::into_inner)
}
