use super::*;

#[test]
fn a_byte_order_mark_crlf_and_padded_names_do_not_count() {
    let plain = check(b"a,b\n1,x\n2,y\n", &CSV);
    assert_eq!(plain, "a$ b$ \n1: \"1\" \"x\"\n2: \"2\" \"y\"\n");
    assert_eq!(check(b"\xef\xbb\xbfa, b \r\n1,x\r\n\r\n2,y", &CSV), plain);
}

#[test]
fn gzip_is_told_by_content_also_in_several_members() {
    let plain = check(b"a,b\n1,x\n2,y\n", &CSV);
    let members = [gzip(b"a,b\n1,"), gzip(b"x\n2,y\n")].concat();
    assert_eq!(check(&members, &CSV), plain);
    let whole = gzip(b"a,b\n1,x\n2,y\n");
    assert!(check(&whole[..whole.len() - 9], &CSV).contains("damaged or cut short"));
}

#[test]
fn what_follows_gzip_is_padding_or_named() {
    let whole = gzip(b"a,b\n1,x\n2,y\n");
    let with = |tail: &[u8]| check(&[&whole[..], tail].concat(), &CSV);
    let plain = with(b"");
    assert_eq!(with(&[0; 100_000]), plain);
    assert_eq!(with(&gzip(b"")), plain);
    for tail in [&b"\n"[..], b"garbage that is long enough", b"\0\0x"] {
        let message = with(tail);
        assert!(
            message.contains("follow the end of its gzip stream"),
            "{message}"
        );
    }
    let half = gzip(b"3,z\n");
    assert!(with(&half[..half.len() - 9]).contains("damaged or cut short"));
    let damaged = "input: damaged or cut short: its gzip does not unpack";
    assert_eq!(with(&[0x1f; 12]), damaged);
    assert!(with(b"\x1fx").contains("damaged or cut short"));
}

#[test]
fn quoted_cells_hold_delimiters_quotes_and_line_ends() {
    assert_eq!(
        check(b"a,b\n\"1,\"\"2\",\"x\ny\"\n", &CSV),
        "a$ b$ \n1: \"1,\\\"2\" \"x\\ny\"\n"
    );
}

#[test]
fn ragged_rows_and_foreign_bytes_are_defects_that_leave_the_other_cells() {
    assert_eq!(
        check(b"a,b\n1\n1,2,3\n1,\xff\n5,6\n", &CSV),
        "a$ b$ \n1: \"1\" ~ ! 1 cells for 2 names\n2: \"1\" \"2\" ! 3 cells for 2 names\n\
         3: \"1\" ~ ! b: the cell is not UTF-8\n4: \"5\" \"6\"\n"
    );
    assert!(check(b"a,\xff\n1,2\n", &CSV).contains("line of names is not UTF-8"));
}

#[test]
fn a_character_split_by_a_delimiter_is_not_utf8() {
    assert!(check(b"a,b\n\xc3,\xa9\n", &CSV).contains("! a: the cell is not UTF-8"));
}

#[test]
fn names_alone_still_arrive_and_duplicates_are_kept() {
    assert_eq!(check(b"a,b,a\n", &CSV), "a$ b$ a$ \n");
}

#[test]
fn a_file_without_names_takes_those_of_the_layout() {
    let format = FileFormat::Csv {
        delimiter: b';',
        header: Some(vec!["p".to_owned(), "q".to_owned()]),
    };
    assert_eq!(check(b"1;2\n", &format), "p$ q$ \n1: \"1\" \"2\"\n");
}

#[test]
fn many_rows_come_in_bounded_batches_with_running_numbers() {
    let mut text = "a,b\n".to_owned();
    (0..20_000).for_each(|i| text += &format!("{i},{}\n", i % 7));
    let reader = Box::new(std::io::Cursor::new(text.into_bytes()));
    let mut source = read(reader, "input".to_owned(), &CSV).unwrap();
    let batches = drain(source.as_mut()).unwrap();
    assert_eq!(
        batches.iter().map(RawBatch::n_rows).collect::<Vec<_>>(),
        [8192, 8192, 3616]
    );
    let numbers: Vec<u64> = batches.iter().flat_map(|b| b.row_numbers.clone()).collect();
    assert_eq!(numbers, (1..=20_000).collect::<Vec<_>>());
}

#[test]
fn ten_thousand_columns_are_read() {
    let line =
        |cell: &dyn Fn(usize) -> String| (0..10_000).map(cell).collect::<Vec<_>>().join(",") + "\n";
    let mut text = line(&|i| format!("c{i}"));
    (0..500).for_each(|row| text += &line(&|i| (i % 10 + row % 3).to_string()));
    let reader = Box::new(std::io::Cursor::new(text.into_bytes()));
    let mut source = read(reader, "input".to_owned(), &CSV).unwrap();
    let batches = drain(source.as_mut()).unwrap();
    assert!(batches.len() > 1, "wide rows make small batches");
    assert_eq!(batches.iter().map(RawBatch::n_rows).sum::<usize>(), 500);
    assert_eq!(batches[0].columns.len(), 10_000);
}

#[test]
fn an_open_quote_does_not_swallow_a_large_file() {
    let mut bytes = b"a,b\n1,\"2\n".to_vec();
    bytes.resize(RECORD_BYTES + (1 << 20), b'x');
    assert_eq!(
        check(&bytes, &CSV),
        "input: record 1 does not end within 16 MiB: is a quote left open?"
    );
}

#[test]
fn a_stray_quote_loses_no_line_without_a_word() {
    let within = "! the line lies within a quote that begins in a row before it";
    assert_eq!(
        check(b"a,b\n1,\"2\n3,4\n5,6\"\n7,8\n", &CSV),
        "a$ b$ \n1: \"1\" \"2\\n3,4\\n5,6\"\n2: \"7\" \"8\"\n",
        "it may be meant"
    );
    assert_eq!(
        check(b"a,b\n\"1,2\n3,4\n5,6\"\n7,8\n", &CSV),
        format!(
            "a$ b$ \n1: \"1,2\\n3,4\\n5,6\" ~ ! 1 cells for 2 names\n2: ~ ~ {within}\n3: ~ ~ {within}\n\
             4: \"7\" \"8\"\n"
        )
    );
    for text in [
        "a,b\n1,2\n3,\"4\n5,6\n",
        "a,b\n1,2\n3,\"4\n5,6",
        "a,b\n1,2\n3,\"",
    ] {
        let shown = check(text.as_bytes(), &CSV);
        assert_eq!(shown, "input: record 2 has a quote that is never closed");
    }
    assert!(check(b"a,\"b\n1,2\n", &CSV).contains("never closed"));
}

#[test]
fn more_columns_than_any_table_has_are_refused() {
    let commas = ",".repeat(1 << 16);
    let text = format!("a{commas}\n1{commas}\n");
    let refused = "input: it has 65537 columns, at most 65536 are read";
    assert_eq!(check(text.as_bytes(), &CSV), refused);
}

#[test]
fn a_quote_that_swallows_more_lines_than_a_batch_has_is_an_error() {
    let text = format!("a,b\n1,\"2{}\",3\n", "\n".repeat(9000));
    let refused = "input: record 1 has 3 cells for 2 names and goes over too many lines: is a quote left open?";
    assert_eq!(check(text.as_bytes(), &CSV), refused);
    // Each of its lines would be a row of as many cells.
    let wide = format!("a{}\n\"2{}\"\n", ",".repeat(60_000), "\n".repeat(80));
    let refused = "input: record 1 has 1 cells for 60001 names and goes over too many lines: is a quote left open?";
    assert_eq!(check(wide.as_bytes(), &CSV), refused);
}

/// Reads a file of so many columns with so many rows of one cell; returns how many rows come, or why they do not.
fn short_rows(n_columns: usize, n_rows: usize) -> Result<usize, String> {
    let text = format!("a{}\n{}", ",".repeat(n_columns - 1), "1\n".repeat(n_rows));
    let reader = Box::new(std::io::Cursor::new(text.into_bytes()));
    let mut source = read(reader, "input".to_owned(), &CSV).unwrap();
    let mut n_read = 0;
    loop {
        match source.next_batch().map_err(|e| e.to_string())? {
            Some(batch) => n_read += batch.n_rows(),
            None => return Ok(n_read),
        }
    }
}

#[test]
fn short_rows_are_filled_up_no_further_than_is_believed() {
    assert_eq!(short_rows(65_536, 1024), Ok(1024));
    let refused = "input: record 1025 has 1 cells for 65536 names, and all rows together lack more than 67108864 \
                   cells: take the names out that have no cells";
    assert_eq!(short_rows(65_536, 1025), Err(refused.to_owned()));
    // Where none lacks more than it has, any number of them may.
    assert_eq!(short_rows(3, 100_000), Ok(100_000));
}
