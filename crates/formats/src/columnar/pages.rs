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
            limit: u64::try_from(chunk.uncompressed_size()).unwrap_or(0),
        }))
    })
}

/// Pages of a chunk that is compressed with zstd, while its reader takes it for one that is not.
struct ZstdPages<R: ChunkReader> {
    packed: SerializedPageReader<R>,
    /// Bytes of the whole chunk, unpacked: no page has more.
    limit: u64,
}

impl<R: ChunkReader> ZstdPages<R> {
    fn unpack(&self, mut page: Page) -> Result<Page> {
        match &mut page {
            Page::DataPage { buf, .. } | Page::DictionaryPage { buf, .. } => {
                *buf = self.unpack_bytes(buf, 0)?.into();
            }
            Page::DataPageV2 {
                buf,
                is_compressed,
                def_levels_byte_len,
                rep_levels_byte_len,
                ..
            } if *is_compressed => {
                let n_levels = def_levels_byte_len.saturating_add(*rep_levels_byte_len);
                *buf = self.unpack_bytes(buf, n_levels as usize)?.into();
                *is_compressed = false;
            }
            Page::DataPageV2 { .. } => {}
        }
        Ok(page)
    }

    /// Unpacks what stands behind the levels, which are never compressed.
    fn unpack_bytes(&self, bytes: &[u8], n_levels: usize) -> Result<Vec<u8>> {
        let damaged = |reason: &str| ParquetError::General(format!("zstd: {reason}"));
        let (levels, packed) = bytes
            .split_at_checked(n_levels)
            .ok_or_else(|| damaged("a page ends within its levels"))?;
        let mut unpacked = levels.to_vec();
        if packed.is_empty() {
            return Ok(unpacked);
        }
        let decoder = StreamingDecoder::new(packed).map_err(|e| damaged(&e.to_string()))?;
        let n = decoder.take(self.limit + 1).read_to_end(&mut unpacked);
        match n.map_err(|e| damaged(&e.to_string()))? as u64 > self.limit {
            true => Err(damaged("a page is larger than its column")),
            false => Ok(unpacked),
        }
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
