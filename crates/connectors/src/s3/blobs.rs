//! A prefix of a bucket as the place of a registry.

use std::{
    fs::File,
    hash::{BuildHasher as _, Hasher as _, RandomState},
    io::{self, Read as _},
    sync::atomic::{AtomicBool, Ordering::Relaxed},
};

use aws_sdk_s3::{
    operation::list_objects_v2::ListObjectsV2Output,
    types::{BucketVersioningStatus, VersioningConfiguration},
};
use bytes::Bytes;
use dataset::{SourceError, SourceUri};
use registry::{BlobError, BlobStore, is_key, most_bytes};
use tokio::time::sleep;

use super::{
    address::{Address, Keys},
    connection::{Connection, Store},
    download::download,
    upload::{Content, Upload},
};
use crate::{
    backoff,
    failure::{Cause, Trouble},
};

/// What `netsec doctor` writes, once: this very object is there afterwards.
const TRIAL: (&str, &[u8]) = ("doctor", b"netsec doctor tries here whether it may write\n");

/// Keeps blobs as objects. Safe between processes and machines: S3 writes to a key once only where it is asked to.
pub(crate) struct S3Blobs {
    connection: Connection,
    /// What the keys of all objects begin with: it ends with `/`, or is empty.
    prefix: String,
    /// Whether the bucket was asked to keep versions.
    is_seen_to: AtomicBool,
}

impl S3Blobs {
    /// Prepares the client of an address; whether there is a server is seen at the first request.
    pub(crate) fn open(uri: &SourceUri) -> Result<Self, SourceError> {
        let mut address = Address::parse(uri)?;
        let prefix = prefix(&address).map_err(|reason| SourceError::Unsupported {
            location: uri.to_string(),
            reason: reason.to_owned(),
        })?;
        address.keys = Keys::Prefix(prefix.clone());
        Ok(Self {
            connection: Connection::with(address)?,
            prefix,
            is_seen_to: AtomicBool::new(false),
        })
    }

    /// As [`Self::open`], of a bucket whose versions are not ours to see to.
    pub(crate) fn of_others(uri: &SourceUri) -> Result<Self, SourceError> {
        let blobs = Self::open(uri)?;
        blobs.is_seen_to.store(true, Relaxed);
        Ok(blobs)
    }

    pub(super) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Looks whether the bucket keeps versions; returns what to do where it does not, though a registry was written
    /// there.
    pub(super) fn see_versions(&self) -> Result<&'static str, String> {
        let store = &self.connection.store;
        let advice = self.advice_on_versions();
        match self.connection.block_on(store.versions()) {
            Ok(Some(BucketVersioningStatus::Enabled)) => {
                Ok("kept: what is written over can be had back")
            }
            Ok(None) if self.list("models/").is_ok_and(|keys| keys.is_empty()) => Ok(
                "not kept yet: what is written first sees to that, where it has s3:PutBucketVersioning",
            ),
            Ok(_) => Err(format!("not kept: what is written over is lost: {advice}")),
            Err(trouble) => Err(format!("not known: {}: {advice}", trouble.reason)),
        }
    }

    /// Lets the bucket keep versions, once; what stands in the way is a warning, since the registry works without.
    fn see_to_versions(&self) {
        if self.is_seen_to.swap(true, Relaxed) {
            return;
        }
        let store = &self.connection.store;
        let bucket = &store.address.bucket;
        let reason = match self.connection.block_on(store.keep_versions()) {
            Ok(true) => return,
            Ok(false) => "somebody has suspended it".to_owned(),
            Err(trouble) if trouble.cause.is_transient() => {
                return self.is_seen_to.store(false, Relaxed);
            }
            Err(trouble) => trouble.reason,
        };
        let advice = self.advice_on_versions();
        tracing::warn!(bucket, reason, advice, "the bucket may not keep versions");
    }

    fn advice_on_versions(&self) -> String {
        format!(
            "allow s3:GetBucketVersioning and s3:PutBucketVersioning, or have it switched on: aws s3api \
             put-bucket-versioning --bucket {} --versioning-configuration Status=Enabled",
            self.connection.address().bucket
        )
    }

    /// Writes an object twice on the condition that there is none: the second must be refused.
    pub(super) fn try_out(&self) -> Result<(), Trouble> {
        let (key, bytes) = TRIAL;
        let mut is_last_written = true;
        for _ in 0..2 {
            let upload = self.upload(key, bytes, true);
            is_last_written = self.connection.block_on(written(&upload))?;
        }
        if !is_last_written {
            return Ok(());
        }
        let reason = "it ignores `If-None-Match: *`: of two promoters at once one would be lost; use a server that \
                      keeps to it";
        let store = &self.connection.store;
        Err(store.trouble("write on a condition", Cause::Refused, reason))
    }

    fn write(&self, key: &str, bytes: &[u8], is_addition: bool) -> Result<bool, BlobError> {
        self.check_key(key)?;
        self.see_to_versions();
        let upload = self.upload(key, bytes, is_addition);
        let written = self.connection.block_on(written(&upload));
        written.map_err(|trouble| self.error("write", key, trouble))
    }

    fn upload(&self, key: &str, bytes: &[u8], is_addition: bool) -> Upload {
        Upload {
            store: self.connection.store.clone(),
            key: self.whole_key(key),
            load: token(),
            is_addition,
            content_type: match key.ends_with(".json") {
                true => "application/json",
                false => "application/octet-stream",
            },
            content: Content::Bytes(Bytes::copy_from_slice(bytes)),
            n_bytes: bytes.len() as u64,
        }
    }

    fn whole_key(&self, key: &str) -> String {
        format!("{}{key}", self.prefix)
    }

    fn check_key(&self, key: &str) -> Result<(), BlobError> {
        if is_key(key) {
            return Ok(());
        }
        Err(BlobError {
            location: self.location(),
            action: "use",
            key: key.to_owned(),
            reason: "not a key of letters, digits, `.`, `-`, `_` and `/`".to_owned(),
        })
    }

    fn error(&self, action: &'static str, key: &str, trouble: Trouble) -> BlobError {
        let advice = match trouble.cause {
            Cause::Unreachable => {
                "check host and port and whether the server runs; `netsec doctor --registry` with this address \
                 looks at one step after another"
            }
            Cause::Permission => "docs/registry.md lists the rights that it needs",
            Cause::Missing => "check the bucket's name, AWS_ENDPOINT_URL and AWS_REGION",
            Cause::Changed if action == "read" => {
                "docs/registry.md says how an earlier version comes back"
            }
            _ => trouble.advice(),
        };
        let colon = if advice.is_empty() { "" } else { ": " };
        BlobError {
            location: self.location(),
            action,
            key: key.to_owned(),
            reason: format!("{}: {}{colon}{advice}", trouble.asked, trouble.reason),
        }
    }

    fn no_spool(&self, error: &io::Error) -> Trouble {
        let reason = crate::spool::no_room("the download", error);
        let store = &self.connection.store;
        store.trouble("read the download", Cause::Refused, reason)
    }
}

impl BlobStore for S3Blobs {
    fn location(&self) -> String {
        self.connection.address().location.clone()
    }

    fn is_remote(&self) -> bool {
        true
    }

    fn get(&self, key: &str) -> Result<Option<Vec<u8>>, BlobError> {
        self.check_key(key)?;
        let store = self.connection.store.clone();
        let coming = download(store, self.whole_key(key), most_bytes(key));
        let failed = |trouble| self.error("read", key, trouble);
        match self.connection.block_on(coming) {
            Ok(file) => {
                let read = whole(file).map(Some);
                read.map_err(|e| failed(self.no_spool(&e)))
            }
            Err(trouble) if is_of_the_key(&trouble) => Ok(None),
            Err(trouble) => Err(failed(trouble)),
        }
    }

    fn length(&self, key: &str) -> Result<Option<u64>, BlobError> {
        self.check_key(key)?;
        let whole = self.whole_key(key);
        let head = self.connection.store.head_of(&whole);
        let head = self.connection.block_on(head);
        let head = head.map_err(|trouble| self.error("look for", key, trouble))?;
        let length = head.and_then(|head| head.content_length());
        Ok(length.map(i64::unsigned_abs))
    }

    fn put(&self, key: &str, bytes: &[u8]) -> Result<(), BlobError> {
        self.write(key, bytes, false).map(|_| ())
    }

    fn put_if_absent(&self, key: &str, bytes: &[u8]) -> Result<bool, BlobError> {
        self.write(key, bytes, true)
    }

    fn list(&self, prefix: &str) -> Result<Vec<String>, BlobError> {
        let mut address = self.connection.address().clone();
        address.keys = Keys::Prefix(self.whole_key(prefix));
        let listing = self.connection.to(address);
        let keys = &listing.address().keys;
        let take = |page: &ListObjectsV2Output| {
            let all = page.contents().iter().filter_map(|object| object.key());
            let meant = all.filter(|key| keys.mean(key));
            let inside = meant.filter_map(|key| key.strip_prefix(&self.prefix));
            inside.map(str::to_owned).collect()
        };
        // A registry grows with the years, and nobody could give it a longer prefix.
        let listed = listing.block_on(listing.store.listed(usize::MAX, take));
        listed.map_err(|trouble| self.error("list", prefix, trouble))
    }
}

impl Store {
    /// Returns whether the bucket keeps versions; nothing where nobody has ever said so.
    async fn versions(&self) -> Result<Option<BucketVersioningStatus>, Trouble> {
        let get = self.client.get_bucket_versioning();
        let get = get.bucket(&self.address.bucket).send();
        let found = self.once("see whether the bucket keeps versions", get);
        Ok(found.await?.status().cloned())
    }

    /// Lets the bucket keep versions unless somebody has suspended it; returns whether it does.
    async fn keep_versions(&self) -> Result<bool, Trouble> {
        match self.versions().await? {
            Some(BucketVersioningStatus::Enabled) => return Ok(true),
            Some(_) => return Ok(false),
            None => {}
        }
        let enabled = VersioningConfiguration::builder()
            .status(BucketVersioningStatus::Enabled)
            .build();
        let put = self.client.put_bucket_versioning();
        let put = put
            .bucket(&self.address.bucket)
            .versioning_configuration(enabled)
            .send();
        self.once("let the bucket keep versions", put).await?;
        let bucket = &self.address.bucket;
        tracing::info!(bucket, "the bucket keeps versions from now on");
        Ok(true)
    }
}

/// Uploads an object; returns whether it is this one that is there.
async fn written(upload: &Upload) -> Result<bool, Trouble> {
    let mut failed = 0;
    loop {
        let trouble = match upload.run().await {
            Ok(()) => return Ok(true),
            Err(trouble) if trouble.cause == Cause::Changed => trouble,
            Err(trouble) => return Err(trouble),
        };
        // Who is refused because of another's write (409) has no right to think that it came to its end.
        // One's own that timed out may have come to it since it was last looked for, and is not another's.
        if upload.is_addition
            && let Some(load) = upload.store.load_of(&upload.key).await?
        {
            return Ok(load == upload.load);
        }
        failed += 1;
        if failed >= backoff::ATTEMPTS {
            return Err(trouble);
        }
        sleep(backoff::wait(failed)).await;
    }
}

/// Returns what all keys begin with.
fn prefix(address: &Address) -> Result<String, &'static str> {
    match &address.keys {
        _ if address.version.is_some() || address.format.is_some() => {
            Err("a registry has neither `version_id` nor `format`")
        }
        Keys::Pattern(_) => Err("a registry has one place: s3://BUCKET/PREFIX, without `*`"),
        Keys::Prefix(prefix) => Ok(prefix.clone()),
        Keys::One(key) => Ok(format!("{key}/")),
    }
}

/// Returns whether what is missing is the object, not the bucket.
fn is_of_the_key(trouble: &Trouble) -> bool {
    trouble.cause == Cause::Missing && !trouble.reason.contains("NoSuchBucket")
}

/// Makes a word that no other upload has.
fn token() -> String {
    let chance = || RandomState::new().build_hasher().finish();
    format!("{:016x}{:016x}", chance(), chance())
}

fn whole(mut file: File) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(file.metadata()?.len() as usize)?;
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}
