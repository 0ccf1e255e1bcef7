//! Which objects there are, and how one is opened.

use aws_sdk_s3::{
    operation::{get_object::GetObjectOutput, list_objects_v2::ListObjectsV2Output},
    primitives::ByteStream,
    types::ChecksumMode,
};
use aws_smithy_checksums::ChecksumAlgorithm;

use super::{address::Keys, connection::Store};
use crate::failure::{Cause, Trouble};

/// Objects of one address at most.
const MAX_OBJECTS: usize = 1_000_000;

/// What a server says of an object.
#[derive(Debug, Clone)]
pub(super) struct Content {
    pub key: String,
    pub n_bytes: u64,
    /// Differs where contents do.
    pub etag: Option<String>,
    /// That of the whole, as Base64.
    pub checksum: Option<(ChecksumAlgorithm, String)>,
}

impl Store {
    /// Returns the keys that the address means, in their order.
    pub(super) async fn keys(&self) -> Result<Vec<String>, Trouble> {
        if let Keys::One(key) = &self.address.keys {
            return Ok(vec![key.clone()]);
        }
        let take = |page: &ListObjectsV2Output| self.meant(page).map(str::to_owned).collect();
        self.listed(MAX_OBJECTS, take).await
    }

    /// Returns the keys that are taken from each page of the listing, in their order.
    pub(super) async fn listed(
        &self,
        at_most: usize,
        take: impl Fn(&ListObjectsV2Output) -> Vec<String>,
    ) -> Result<Vec<String>, Trouble> {
        let (mut keys, mut token) = (Vec::new(), None);
        loop {
            let page = self.page(token.as_deref(), None).await?;
            keys.extend(take(&page));
            if keys.len() > at_most {
                let reason = format!("they are more than {at_most}: name a longer prefix");
                return Err(self.trouble("list objects", Cause::Wrong, reason));
            }
            let next = page.next_continuation_token().map(str::to_owned);
            if !page.is_truncated().unwrap_or(next.is_some()) {
                break;
            }
            if next.is_none() || next == token {
                let reason = "it says there are more, but not how to ask for them";
                return Err(self.trouble("list objects", Cause::Refused, reason));
            }
            token = next;
        }
        keys.sort_unstable();
        Ok(keys)
    }

    /// Returns those of a page that are meant; those without bytes stand for folders and marks.
    pub(super) fn meant<'a>(
        &'a self,
        page: &'a ListObjectsV2Output,
    ) -> impl Iterator<Item = &'a str> {
        let filled = page.contents().iter().filter(|o| o.size() != Some(0));
        filled
            .filter_map(|object| object.key())
            .filter(|key| self.address.keys.mean(key))
    }

    /// Lists a page of the objects below the address's prefix.
    pub(super) async fn page(
        &self,
        token: Option<&str>,
        at_most: Option<i32>,
    ) -> Result<ListObjectsV2Output, Trouble> {
        let address = &self.address;
        let list = || {
            let list = self.client.list_objects_v2().bucket(&address.bucket);
            list.prefix(address.keys.prefix())
                .set_max_keys(at_most)
                .set_continuation_token(token.map(str::to_owned))
                .send()
        };
        self.repeat("list objects", list).await
    }

    /// Begins to read an object; what it is and its bytes come in one answer.
    pub(super) async fn open(&self, key: &str) -> Result<(Content, ByteStream), Trouble> {
        let address = &self.address;
        let get = || {
            let get = self.client.get_object().bucket(&address.bucket).key(key);
            get.set_version_id(address.version.clone())
                .checksum_mode(ChecksumMode::Enabled)
                .send()
        };
        let asked = format!("read `{key}`");
        let answer = self.repeat(&asked, get).await?;
        let n_bytes = answer.content_length().and_then(|n| u64::try_from(n).ok());
        let Some(n_bytes) = n_bytes else {
            return Err(self.trouble(&asked, Cause::Refused, "it does not say how long it is"));
        };
        let content = Content {
            key: key.to_owned(),
            n_bytes,
            etag: answer.e_tag().map(str::to_owned),
            checksum: checksum(&answer),
        };
        Ok((content, answer.body))
    }

    /// Begins to read some bytes of an object, provided that it is still the same.
    pub(super) async fn open_part(
        &self,
        content: &Content,
        first: u64,
        end: u64,
    ) -> Result<ByteStream, Trouble> {
        let get = self.client.get_object().bucket(&self.address.bucket);
        // A version that the address does not name would need a right of its own.
        let get = get
            .key(&content.key)
            .set_version_id(self.address.version.clone())
            .set_if_match(content.etag.clone())
            .range(format!("bytes={first}-{}", end - 1));
        let asked = format!("read `{}`", content.key);
        let answer = self.once(&asked, get.send()).await?;
        let range = answer.content_range().unwrap_or_default();
        let is_asked_for = range.starts_with(&format!("bytes {first}-{}/", end - 1));
        match (is_asked_for, answer.e_tag() == content.etag.as_deref()) {
            (true, true) => Ok(answer.body),
            (_, false) => Err(self.trouble(&asked, Cause::Changed, CHANGED)),
            (false, _) => {
                let reason = format!("it gives `{range}` for bytes {first} to {}", end - 1);
                Err(self.trouble(&asked, Cause::Refused, reason))
            }
        }
    }
}

pub(super) const CHANGED: &str = "it has changed while it was read; ?version_id= pins a version";

/// Returns the checksum of the whole object; one of the parts' checksums says nothing of it.
fn checksum(answer: &GetObjectOutput) -> Option<(ChecksumAlgorithm, String)> {
    let given = [
        (ChecksumAlgorithm::Crc64Nvme, answer.checksum_crc64_nvme()),
        (ChecksumAlgorithm::Crc32c, answer.checksum_crc32_c()),
        (ChecksumAlgorithm::Crc32, answer.checksum_crc32()),
        (ChecksumAlgorithm::Sha256, answer.checksum_sha256()),
        (ChecksumAlgorithm::Sha1, answer.checksum_sha1()),
    ];
    let given = given.into_iter().find_map(|(a, text)| Some((a, text?)));
    given
        .filter(|(_, text)| !text.contains('-'))
        .map(|(algorithm, text)| (algorithm, text.to_owned()))
}
