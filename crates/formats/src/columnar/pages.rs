//! The pages of a column, unpacked here, so that none takes more memory than can be believed of what was sent.

use std::{
    io::Read,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use flate2::bufread::MultiGzDecoder;
use parquet::{
    basic::{Compression, Encoding},
    column::page::{Page, PageMetadata, PageReader},
    errors::{ParquetError, Result},
    file::{
        metadata::ColumnChunkMetaData, reader::ChunkReader, serialized_reader::SerializedPageReader,
    },
};
use ruzstd::decoding::StreamingDecoder;

use crate::believable_bytes;

/// Opens the pages of a column in a row group of so many rows.
pub(super) type PageOpener =
    Box<dyn Fn(&ColumnChunkMetaData, usize) -> Result<(Box<dyn PageReader>, Arc<Held>)> + Send>;

/// Bytes that the pages of all columns may take at a time: usual ones have 1 MiB each.
const OPEN_BYTES: u64 = 512 << 20;
/// Bytes that a value of a dictionary takes beside those of its page.
const VALUE_BYTES: u64 = 32;

/// Makes the opener of a file's pages.
pub(super) fn opener<R: ChunkReader + 'static>(file: R) -> PageOpener {
    let file = Arc::new(file);
    let open = Arc::new(AtomicU64::new(0));
    Box::new(move |chunk, n_rows| {
        let plain = chunk.clone().into_builder();
        let plain = plain.set_compression(Compression::UNCOMPRESSED).build()?;
        let held = Arc::new(Held::of(open.clone()));
        let pages = Pages {
            packed: SerializedPageReader::new(file.clone(), &plain, n_rows, None)?,
            codec: chunk.compression(),
            claimed: u64::try_from(chunk.uncompressed_size()).unwrap_or(0),
            n_rows: n_rows as u64,
            has_levels: chunk.column_descr().max_def_level() > 0,
            held: held.clone(),
        };
        Ok((Box::new(pages), held))
    })
}

/// What the pages of one column take in memory: its dictionary, its last page, and those before it that values read
/// from them still hold.
pub(super) struct Held {
    /// Of all columns.
    open: Arc<AtomicU64>,
    all: AtomicU64,
    dictionary: AtomicU64,
    last: AtomicU64,
}

impl Held {
    fn of(open: Arc<AtomicU64>) -> Self {
        Self {
            open,
            all: AtomicU64::new(0),
            dictionary: AtomicU64::new(0),
            last: AtomicU64::new(0),
        }
    }

    fn add(&self, page: &Page, n_bytes: u64) -> Result<()> {
        let kind = match page.is_dictionary_page() {
            true => &self.dictionary,
            false => &self.last,
        };
        kind.store(n_bytes, Relaxed);
        self.all.fetch_add(n_bytes, Relaxed);
        if self.open.fetch_add(n_bytes, Relaxed) + n_bytes <= OPEN_BYTES {
            return Ok(());
        }
        Err(ParquetError::NYI(format!(
            "its pages and those of the columns beside it take more than {} MiB at a time: write smaller row \
             groups, in polars and pandas `row_group_size=10_000` or less, or fewer columns",
            OPEN_BYTES >> 20
        )))
    }

    /// Says that nothing holds any page but the last one.
    pub(super) fn settle(&self) {
        let kept = self.dictionary.load(Relaxed) + self.last.load(Relaxed);
        let before = self.all.swap(kept, Relaxed);
        self.open.fetch_sub(before.saturating_sub(kept), Relaxed);
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.open.fetch_sub(self.all.load(Relaxed), Relaxed);
    }
}

/// Pages of a chunk, while its reader takes them for ones that are not compressed.
struct Pages<R: ChunkReader> {
    packed: SerializedPageReader<R>,
    codec: Compression,
    /// Bytes of the whole chunk, unpacked, as the file says.
    claimed: u64,
    /// Rows of the group, as the file says.
    n_rows: u64,
    has_levels: bool,
    held: Arc<Held>,
}

impl<R: ChunkReader> Pages<R> {
    fn unpack(&self, page: &mut Page) -> Result<()> {
        if self.codec == Compression::UNCOMPRESSED {
            return Ok(());
        }
        match page {
            Page::DataPage { buf, .. } | Page::DictionaryPage { buf, .. } => {
                *buf = unpack(self.codec, buf, 0, self.claimed)?.into();
            }
            Page::DataPageV2 {
                buf,
                is_compressed,
                def_levels_byte_len,
                rep_levels_byte_len,
                ..
            } if *is_compressed => {
                let n_levels = def_levels_byte_len.saturating_add(*rep_levels_byte_len);
                *buf = unpack(self.codec, buf, n_levels as usize, self.claimed)?.into();
                *is_compressed = false;
            }
            Page::DataPageV2 { .. } => {}
        }
        Ok(())
    }

    /// Returns the bytes that a page takes; refuses one that claims more values than it can hold, for which the
    /// parser would make room at once.
    fn size(&self, page: &Page) -> Result<u64> {
        let (n_bytes, n_values) = (page.buffer().len() as u64, u64::from(page.num_values()));
        let most = match page.is_dictionary_page() {
            true => n_bytes,
            false => self.n_rows,
        };
        if n_values > most {
            let claim = format!("a page of {n_bytes} bytes claims {n_values} values");
            return Err(ParquetError::General(claim));
        }
        match page.encoding() {
            _ if page.is_dictionary_page() => Ok(n_bytes + VALUE_BYTES * n_values),
            // Each value may repeat the one before it, of any length.
            Encoding::DELTA_BYTE_ARRAY => Err(ParquetError::NYI(
                "its pages are encoded with DELTA_BYTE_ARRAY: write it with a dictionary or plain"
                    .to_owned(),
            )),
            Encoding::DELTA_LENGTH_BYTE_ARRAY => {
                let n_lengths = self.n_lengths(page).filter(|n| *n <= n_values);
                let n = n_lengths.ok_or_else(|| {
                    let claim = format!("a page of {n_values} values has other lengths");
                    ParquetError::General(claim)
                })?;
                Ok(n_bytes + n * size_of::<i32>() as u64)
            }
            _ => Ok(n_bytes),
        }
    }

    /// Returns how many lengths the text of a page begins with, for which the parser makes room.
    fn n_lengths(&self, page: &Page) -> Option<u64> {
        let n_levels = match page {
            Page::DataPage { buf, .. } if self.has_levels => {
                let n: [u8; 4] = buf.get(..4)?.try_into().ok()?;
                4 + u32::from_le_bytes(n) as usize
            }
            Page::DataPageV2 {
                def_levels_byte_len,
                ..
            } => *def_levels_byte_len as usize,
            _ => 0,
        };
        let mut header = page.buffer().get(n_levels..)?;
        // Behind the size of a block and the number of its parts.
        (0..3).map(|_| varint(&mut header)).last()?
    }
}

/// Reads a number as Parquet's delta encodings have it: seven bits a byte, the lowest first.
fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..63).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

/// Unpacks what stands behind the levels, which are never compressed. A page has no more bytes than its
/// column, nor than text of its size is believed to have: what the file claims is the sender's word.
fn unpack(codec: Compression, bytes: &[u8], n_levels: usize, claimed: u64) -> Result<Vec<u8>> {
    let (levels, packed) = bytes
        .split_at_checked(n_levels)
        .ok_or_else(|| damaged(codec, "a page ends within its levels"))?;
    let mut unpacked = levels.to_vec();
    if packed.is_empty() {
        return Ok(unpacked);
    }
    let limit = claimed.min(believable_bytes(packed.len() as u64));
    let n = match codec {
        Compression::SNAPPY => return unsnap(packed, unpacked, limit),
        Compression::GZIP(_) => read_out(MultiGzDecoder::new(packed), limit, &mut unpacked),
        _ => {
            let decoder = StreamingDecoder::new(packed);
            let decoder = decoder.map_err(|e| damaged(codec, &e.to_string()))?;
            read_out(decoder, limit, &mut unpacked)
        }
    };
    match n.map_err(|e| damaged(codec, &e.to_string()))? > limit {
        true => Err(too_much(codec, packed, limit)),
        false => Ok(unpacked),
    }
}

fn read_out(packed: impl Read, limit: u64, to: &mut Vec<u8>) -> std::io::Result<u64> {
    Ok(packed.take(limit + 1).read_to_end(to)? as u64)
}

fn unsnap(packed: &[u8], mut to: Vec<u8>, limit: u64) -> Result<Vec<u8>> {
    let wrong = |e: snap::Error| damaged(Compression::SNAPPY, &e.to_string());
    let n = snap::raw::decompress_len(packed).map_err(wrong)?;
    if n as u64 > limit {
        return Err(too_much(Compression::SNAPPY, packed, limit));
    }
    let n_levels = to.len();
    to.resize(n_levels + n, 0);
    let mut decoder = snap::raw::Decoder::new();
    let unpacked = decoder.decompress(packed, &mut to[n_levels..]);
    unpacked.map_err(wrong).map(|_| to)
}

fn too_much(codec: Compression, packed: &[u8], limit: u64) -> ParquetError {
    let n = packed.len();
    damaged(
        codec,
        &format!("a page of {n} bytes unpacks to more than {limit}"),
    )
}

fn damaged(codec: Compression, reason: &str) -> ParquetError {
    let name = match codec {
        Compression::SNAPPY => "snappy",
        Compression::GZIP(_) => "gzip",
        _ => "zstd",
    };
    ParquetError::General(format!("{name}: {reason}"))
}

impl<R: ChunkReader> Iterator for Pages<R> {
    type Item = Result<Page>;

    fn next(&mut self) -> Option<Self::Item> {
        self.get_next_page().transpose()
    }
}

impl<R: ChunkReader> PageReader for Pages<R> {
    fn get_next_page(&mut self) -> Result<Option<Page>> {
        let Some(mut page) = self.packed.get_next_page()? else {
            return Ok(None);
        };
        self.unpack(&mut page)?;
        self.held.add(&page, self.size(&page)?)?;
        Ok(Some(page))
    }

    fn peek_next_page(&mut self) -> Result<Option<PageMetadata>> {
        self.packed.peek_next_page()
    }

    fn skip_next_page(&mut self) -> Result<()> {
        self.packed.skip_next_page()
    }
}

#[cfg(test)]
mod tests;
