//! The envelope that every artifact travels in; the only file that names `bincode`.
//!
//! Layout, little-endian: magic `NETSECAF` (8), layout version of the kind (u16), length of the kind's
//! name (u8), the name, length of the payload (u64), SHA-256 of all that precedes and the payload (32),
//! payload (bincode 2, standard configuration).

use serde::{Serialize, de::DeserializeOwned};
use thiserror::Error;

use crate::{Classified, Digest, ErrorKind};

const MAGIC: &[u8; 8] = b"NETSECAF";
/// No artifact is larger; a length beyond it is damage, and nothing is allocated for it.
pub const MAX_BYTES: u64 = 8 << 30;

/// Something that stages exchange and that is kept on disk.
///
/// `LAYOUT` is raised whenever the serialized form of the type changes; a golden file for each kind
/// fails when that is forgotten.
pub trait Artifact: Serialize + DeserializeOwned {
    /// The name of the kind, in kebab case; also the file's name.
    const KIND: &'static str;
    /// The version of the payload's layout.
    const LAYOUT: u16;

    /// Serializes the value alone; written by [`crate::payload!`].
    ///
    /// # Errors
    /// What the serializer says.
    fn to_payload(&self) -> Result<Vec<u8>, String>;

    /// Reads a value and the number of bytes that it takes up; written by [`crate::payload!`].
    ///
    /// # Errors
    /// What the deserializer says.
    fn from_payload(payload: &[u8]) -> Result<(Self, usize), String>;

    /// Checks what the types cannot say; called after every decoding, before anyone sees the value.
    ///
    /// # Errors
    /// A sentence that says what is wrong, with its values.
    fn check(&self) -> Result<(), String> {
        Ok(())
    }
}

/// Writes the two methods of [`Artifact`] that name the serializer, within the artifact's own crate.
///
/// As methods of the trait's own they would be generic, and each crate that reads or writes an artifact
/// would compile its whole serializer and deserializer again.
#[macro_export]
macro_rules! payload {
    () => {
        fn to_payload(&self) -> Result<Vec<u8>, String> {
            $crate::codec::encode_payload(self)
        }

        fn from_payload(payload: &[u8]) -> Result<(Self, usize), String> {
            $crate::codec::decode_payload(payload)
        }
    };
}

/// Why bytes are not the artifact that was asked for; what to do about it depends on where they lie.
#[derive(Debug, Error, PartialEq, Eq)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum CodecError {
    #[error("not an artifact of this program: it does not begin with NETSECAF")]
    Foreign,
    #[error("cut short: {have} bytes where {need} are needed")]
    Truncated { have: u64, need: u64 },
    #[error("{extra} bytes follow the end of the artifact")]
    Trailing { extra: u64 },
    #[error("holds a `{found}` where a `{expected}` is needed")]
    WrongKind { found: String, expected: String },
    #[error(
        "layout {found} of `{kind}` is newer than this program knows ({known}): use a newer program"
    )]
    Newer {
        kind: &'static str,
        found: u16,
        known: u16,
    },
    #[error("layout {found} of `{kind}` is no longer read: this program reads {known}")]
    Older {
        kind: &'static str,
        found: u16,
        known: u16,
    },
    #[error("damaged: its content does not match its digest")]
    Damaged,
    #[error("its payload does not decode as `{kind}`: {reason}")]
    Payload { kind: &'static str, reason: String },
    #[error("too large: {bytes} bytes, at most {MAX_BYTES}")]
    TooLarge { bytes: u64 },
}

impl Classified for CodecError {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Internal
    }
}

/// Serializes an artifact into its envelope.
///
/// # Errors
/// [`CodecError::Payload`] when the value does not serialize, [`CodecError::TooLarge`].
pub fn encode<A: Artifact>(artifact: &A) -> Result<Vec<u8>, CodecError> {
    let payload = artifact
        .to_payload()
        .map_err(|reason| CodecError::Payload {
            kind: A::KIND,
            reason,
        })?;
    if payload.len() as u64 > MAX_BYTES {
        return Err(CodecError::TooLarge {
            bytes: payload.len() as u64,
        });
    }
    let mut bytes = header::<A>(payload.len() as u64);
    let digest = digest_of(&bytes, &payload);
    bytes.extend_from_slice(digest.as_bytes());
    bytes.extend_from_slice(&payload);
    Ok(bytes)
}

/// Reads an artifact back: digest first, then layout, then payload, then [`Artifact::check`].
///
/// # Errors
/// A [`CodecError`] for anything but a whole artifact of kind `A` in a layout that is known.
pub fn decode<A: Artifact>(bytes: &[u8]) -> Result<A, CodecError> {
    let (layout, payload) = open(bytes, A::KIND)?;
    match layout.cmp(&A::LAYOUT) {
        std::cmp::Ordering::Greater => {
            return Err(CodecError::Newer {
                kind: A::KIND,
                found: layout,
                known: A::LAYOUT,
            });
        }
        std::cmp::Ordering::Less => {
            return Err(CodecError::Older {
                kind: A::KIND,
                found: layout,
                known: A::LAYOUT,
            });
        }
        std::cmp::Ordering::Equal => {}
    }
    let bad = |reason: String| CodecError::Payload {
        kind: A::KIND,
        reason,
    };
    let (artifact, read) = A::from_payload(payload).map_err(bad)?;
    if read != payload.len() {
        return Err(CodecError::Trailing {
            extra: (payload.len() - read) as u64,
        });
    }
    artifact.check().map_err(bad)?;
    Ok(artifact)
}

/// Serializes a value without an envelope.
///
/// # Errors
/// What the serializer says.
pub fn encode_payload<T: Serialize>(value: &T) -> Result<Vec<u8>, String> {
    bincode::serde::encode_to_vec(value, bincode::config::standard()).map_err(|e| e.to_string())
}

/// Decodes a payload within a budget of memory that follows from its length.
///
/// `bincode` allocates what a text says its length is before it looks whether that much follows, and
/// knows its limit at compile time only. A value claims at most eight bytes for each that it takes up,
/// so a limit of at least eight times the payload never refuses a true one; each limit is another
/// deserializer to compile, so there are few.
///
/// # Errors
/// What the deserializer says.
pub fn decode_payload<T: DeserializeOwned>(payload: &[u8]) -> Result<(T, usize), String> {
    macro_rules! within {
        ($bits:literal) => {
            bincode::serde::decode_from_slice(
                payload,
                bincode::config::standard().with_limit::<{ 1 << $bits }>(),
            )
        };
    }
    let decoded = match (payload.len() as u64).saturating_mul(8) {
        claims if claims <= 1 << 20 => within!(20),
        claims if claims <= 1 << 28 => within!(28),
        claims if claims <= 1 << 32 => within!(32),
        // Nothing is longer than `MAX_BYTES`.
        _ => within!(36),
    };
    decoded.map_err(|e| e.to_string())
}

/// Returns the digest that an envelope carries, after checking it against the content.
///
/// # Errors
/// As [`decode`], but for the payload's content.
pub fn verify(bytes: &[u8], kind: &'static str) -> Result<Digest, CodecError> {
    open(bytes, kind)?;
    let at = 8 + 2 + 1 + kind.len() + 8;
    let mut digest = [0; 32];
    digest.copy_from_slice(&bytes[at..at + 32]);
    Ok(Digest::from_bytes(digest))
}

/// As [`verify`], for an artifact of whatever kind its envelope names.
///
/// # Errors
/// As [`verify`], but for another kind.
pub fn verify_any(bytes: &[u8]) -> Result<Digest, CodecError> {
    let name_end = 11 + usize::from(*bytes.get(10).unwrap_or(&0));
    let name = bytes.get(11..name_end).unwrap_or_default();
    open(bytes, &String::from_utf8_lossy(name))?;
    let mut digest = [0; 32];
    digest.copy_from_slice(&bytes[name_end + 8..name_end + 40]);
    Ok(Digest::from_bytes(digest))
}

fn header<A: Artifact>(payload_bytes: u64) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(8 + 2 + 1 + A::KIND.len() + 8 + 32 + payload_bytes as usize);
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&A::LAYOUT.to_le_bytes());
    bytes.push(u8::try_from(A::KIND.len()).expect("the name of a kind is short"));
    bytes.extend_from_slice(A::KIND.as_bytes());
    bytes.extend_from_slice(&payload_bytes.to_le_bytes());
    bytes
}

fn digest_of(header: &[u8], payload: &[u8]) -> Digest {
    Digest::of_reader(std::io::Read::chain(header, payload)).expect("memory does not fail to read")
}

/// Bytes before the digest, at most: the name of a kind has at most 255.
pub(crate) const MAX_HEAD_BYTES: u64 = 8 + 2 + 1 + 255 + 8;

/// The envelope up to the digest.
struct Head<'a> {
    layout: u16,
    kind: std::borrow::Cow<'a, str>,
    /// Where the digest starts.
    end: usize,
}

/// Checks that an envelope of `have` bytes begins as it should and has the length that it says.
pub(crate) fn check_head(bytes: &[u8], have: u64) -> Result<(), CodecError> {
    Head::read(bytes, have).map(|_| ())
}

impl<'a> Head<'a> {
    fn read(bytes: &'a [u8], have: u64) -> Result<Self, CodecError> {
        if !bytes.starts_with(MAGIC) {
            return Err(CodecError::Foreign);
        }
        let truncated = |need: usize| CodecError::Truncated {
            have,
            need: need as u64,
        };
        let Some([low, high, name_length]) = bytes.get(8..11) else {
            return Err(truncated(11));
        };
        let name_end = 11 + usize::from(*name_length);
        let end = name_end + 8;
        let Some(Ok(length)) = bytes.get(name_end..end).map(<[u8; 8]>::try_from) else {
            return Err(truncated(end + 32));
        };
        let length = u64::from_le_bytes(length);
        if length > MAX_BYTES {
            return Err(CodecError::TooLarge { bytes: length });
        }
        let need = (end + 32) as u64 + length;
        match have.checked_sub(need) {
            None => Err(CodecError::Truncated { have, need }),
            Some(0) => Ok(Self {
                layout: u16::from_le_bytes([*low, *high]),
                kind: String::from_utf8_lossy(&bytes[11..name_end]),
                end,
            }),
            Some(extra) => Err(CodecError::Trailing { extra }),
        }
    }
}

/// Checks the envelope and returns layout and payload.
fn open<'a>(bytes: &'a [u8], expected: &str) -> Result<(u16, &'a [u8]), CodecError> {
    let head = Head::read(bytes, bytes.len() as u64)?;
    if head.kind != expected {
        return Err(CodecError::WrongKind {
            found: head.kind.into_owned(),
            expected: expected.to_owned(),
        });
    }
    let (before, rest) = bytes.split_at(head.end);
    let (digest, payload) = rest.split_at(32);
    if digest_of(before, payload).as_bytes() != digest {
        return Err(CodecError::Damaged);
    }
    Ok((head.layout, payload))
}

#[cfg(test)]
mod tests;
