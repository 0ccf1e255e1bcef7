use std::io::Write as _;

use parquet::basic::{GzipLevel, ZstdLevel};

use super::*;

const ZSTD: fn() -> Compression = || Compression::ZSTD(ZstdLevel::default());
const GZIP: fn() -> Compression = || Compression::GZIP(GzipLevel::default());

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

fn gzip_zeros(n_mebibytes: usize) -> Vec<u8> {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    for _ in 0..n_mebibytes {
        packer.write_all(&[0; 1 << 20]).unwrap();
    }
    packer.finish().unwrap()
}

#[track_caller]
fn check(codec: Compression, page: &[u8], n_levels: usize, claimed: u64, expected: &str) {
    let found = match unpack(codec, page, n_levels, claimed) {
        Ok(bytes) => format!("{} bytes", bytes.len()),
        Err(error) => error.to_string(),
    };
    assert!(found.contains(expected), "{expected} in {found}");
}

#[test]
fn a_page_is_no_larger_than_its_column_nor_than_can_be_believed() {
    let all = 1 << 40;
    check(ZSTD(), &zeros(4), 0, all, "524288 bytes");
    check(ZSTD(), &zeros(4), 0, 500_000, "unpacks to more than 500000");
    let believed = "unpacks to more than 67108864";
    check(ZSTD(), &zeros(600), 0, all, believed);
    check(GZIP(), &gzip_zeros(1), 0, all, "1048576 bytes");
    check(GZIP(), &gzip_zeros(65), 0, all, believed);
    // 67,108,865 in seven bits a byte, and nothing behind it.
    let snappy = [0x81, 0x80, 0x80, 0x20];
    check(Compression::SNAPPY, &snappy, 0, all, believed);
}

#[test]
fn a_damaged_page_is_an_error() {
    let whole = zeros(4);
    let all = 1 << 40;
    check(ZSTD(), &whole[..whole.len() - 3], 0, all, "zstd: ");
    check(ZSTD(), b"no zstd at all", 0, all, "zstd: ");
    check(ZSTD(), &whole, 1000, all, "ends within its levels");
    check(
        ZSTD(),
        &[b"ab", &whole[..]].concat(),
        2,
        all,
        "524290 bytes",
    );
    check(GZIP(), b"no gzip at all", 0, all, "gzip: ");
    check(Compression::SNAPPY, &[5, 1], 0, all, "snappy: ");
}

#[test]
fn pages_are_counted_until_nothing_holds_them() {
    let page = |n: u64, is_dictionary: bool| {
        let buf = bytes::Bytes::new();
        let (num_values, encoding) = (0, Encoding::PLAIN);
        let page = match is_dictionary {
            true => Page::DictionaryPage {
                buf,
                num_values,
                encoding,
                is_sorted: false,
            },
            false => Page::DataPage {
                buf,
                num_values,
                encoding,
                def_level_encoding: Encoding::RLE,
                rep_level_encoding: Encoding::RLE,
                statistics: None,
            },
        };
        (page, n << 20)
    };
    let open = Arc::new(AtomicU64::new(0));
    let mebibytes = || open.load(Relaxed) >> 20;
    let (one, other) = (Held::of(open.clone()), Held::of(open.clone()));
    let add = |to: &Held, n, is_dictionary| {
        let (page, n_bytes) = page(n, is_dictionary);
        to.add(&page, n_bytes)
    };
    add(&one, 100, true).unwrap();
    add(&one, 50, false).unwrap();
    add(&one, 30, false).unwrap();
    assert_eq!(mebibytes(), 180);
    one.settle();
    assert_eq!(mebibytes(), 130);
    add(&other, 382, false).unwrap();
    let refused = add(&other, 1, false).unwrap_err().to_string();
    let said = "its pages and those of the columns beside it take more than 512 MiB at a time: write smaller row groups, \
                in polars and pandas `row_group_size=10_000` or less, or fewer columns";
    assert!(refused.contains(said), "{refused}");
    drop(other);
    one.settle();
    assert_eq!(mebibytes(), 130);
    drop(one);
    assert_eq!(mebibytes(), 0);
}
