//! The pages of a column; those of zstd are unpacked here, without the C that the `parquet` crate takes.

use std::{io::Read, sync::Arc};

use parquet::{
    basic::Compression,
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
    Box<dyn Fn(&ColumnChunkMetaData, usize) -> Result<Box<dyn PageReader>> + Send>;

/// Makes the opener of a file's pages.
pub(super) fn opener<R: ChunkReader + 'static>(file: R) -> PageOpener {
    let file = Arc::new(file);
    Box::new(move |chunk, n_rows| {
        if !matches!(chunk.compression(), Compression::ZSTD(_)) {
            let pages = SerializedPageReader::new(file.clone(), chunk, n_rows, None)?;
            return Ok(Box::new(pages));
        }
        let plain = chunk.clone().into_builder();
        let plain = plain.set_compression(Compression::UNCOMPRESSED).build()?;
        Ok(Box::new(ZstdPages {
            packed: SerializedPageReader::new(file.clone(), &plain, n_rows, None)?,
            claimed: u64::try_from(chunk.uncompressed_size()).unwrap_or(0),
        }))
    })
}

/// Pages of a chunk that is compressed with zstd, while its reader takes it for one that is not.
struct ZstdPages<R: ChunkReader> {
    packed: SerializedPageReader<R>,
    /// Bytes of the whole chunk, unpacked, as the file says.
    claimed: u64,
}

impl<R: ChunkReader> ZstdPages<R> {
    fn unpack(&self, mut page: Page) -> Result<Page> {
        match &mut page {
            Page::DataPage { buf, .. } | Page::DictionaryPage { buf, .. } => {
                *buf = unpack(buf, 0, self.claimed)?.into();
            }
            Page::DataPageV2 {
                buf,
                is_compressed,
                def_levels_byte_len,
                rep_levels_byte_len,
                ..
            } if *is_compressed => {
                let n_levels = def_levels_byte_len.saturating_add(*rep_levels_byte_len);
                *buf = unpack(buf, n_levels as usize, self.claimed)?.into();
                *is_compressed = false;
            }
            Page::DataPageV2 { .. } => {}
        }
        Ok(page)
    }
}

/// Unpacks what stands behind the levels, which are never compressed. A page has no more bytes than its
/// column, nor than text of its size is believed to have: what the file claims is the sender's word.
fn unpack(bytes: &[u8], n_levels: usize, claimed: u64) -> Result<Vec<u8>> {
    let damaged = |reason: &str| ParquetError::General(format!("zstd: {reason}"));
    let (levels, packed) = bytes
        .split_at_checked(n_levels)
        .ok_or_else(|| damaged("a page ends within its levels"))?;
    let mut unpacked = levels.to_vec();
    if packed.is_empty() {
        return Ok(unpacked);
    }
    let limit = claimed.min(believable_bytes(packed.len() as u64));
    let decoder = StreamingDecoder::new(packed).map_err(|e| damaged(&e.to_string()))?;
    let n = decoder.take(limit + 1).read_to_end(&mut unpacked);
    match n.map_err(|e| damaged(&e.to_string()))? as u64 > limit {
        true => Err(damaged(&format!(
            "a page of {} bytes unpacks to more than {limit}",
            packed.len()
        ))),
        false => Ok(unpacked),
    }
}

impl<R: ChunkReader> Iterator for ZstdPages<R> {
    type Item = Result<Page>;

    fn next(&mut self) -> Option<Self::Item> {
        self.get_next_page().transpose()
    }
}

impl<R: ChunkReader> PageReader for ZstdPages<R> {
    fn get_next_page(&mut self) -> Result<Option<Page>> {
        let page = self.packed.get_next_page()?;
        page.map(|page| self.unpack(page)).transpose()
    }

    fn peek_next_page(&mut self) -> Result<Option<PageMetadata>> {
        self.packed.peek_next_page()
    }

    fn skip_next_page(&mut self) -> Result<()> {
        self.packed.skip_next_page()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Makes a frame of zstd whose blocks each say "128 KiB of zeros" in four bytes.
    fn zeros(n_blocks: u32) -> Vec<u8> {
        let block = |i: u32| ((128 << 10) << 3) | (1 << 1) | u32::from(i + 1 == n_blocks);
        let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x58];
        for i in 0..n_blocks {
            frame.extend(&block(i).to_le_bytes()[..3]);
            frame.push(0);
        }
        frame
    }

    fn check(frame: &[u8], n_levels: usize, claimed: u64, expected: &str) {
        let found = match unpack(frame, n_levels, claimed) {
            Ok(bytes) => format!("{} bytes", bytes.len()),
            Err(error) => error.to_string(),
        };
        assert!(found.contains(expected), "{expected} in {found}");
    }

    #[test]
    fn a_page_is_no_larger_than_its_column_nor_than_can_be_believed() {
        check(&zeros(4), 0, 1 << 40, "524288 bytes");
        check(&zeros(4), 0, 500_000, "unpacks to more than 500000");
        check(&zeros(600), 0, 1 << 40, "unpacks to more than 67108864");
    }

    #[test]
    fn a_damaged_page_is_an_error() {
        let whole = zeros(4);
        check(&whole[..whole.len() - 3], 0, 1 << 40, "zstd: ");
        check(b"no zstd at all", 0, 1 << 40, "zstd: ");
        check(&whole, 1000, 1 << 40, "ends within its levels");
        check(&[b"ab", &whole[..]].concat(), 2, 1 << 40, "524290 bytes");
    }
}
