//! Reads ARFF (Weka's attribute-relation file format): names in a header, then delimited rows.

mod quotes;

use std::io::{BufRead as _, BufReader, Cursor, Read as _};

use artifact::printable;
use dataset::{RawBatch, RawColumn, Source, SourceError, TextColumn};

use crate::{
    RECORD_BYTES,
    delimited::CsvSource,
    input::{Bytes, failed, malformed},
};
use quotes::SingleQuotes;

/// Characters of a line that a message shows.
const SHOWN: usize = 80;

/// Dense ARFF as a source of rows.
///
/// `?` is an absent cell, quoted or not; `%` begins a comment line; quotes of either kind hold texts with commas or
/// spaces. Types and levels of the header are passed over: the schema says what a column is. Sparse rows are refused.
pub(crate) struct ArffSource {
    rows: CsvSource,
}

impl ArffSource {
    pub(crate) fn new(text: Bytes, location: String) -> Result<Self, SourceError> {
        let mut reader = BufReader::with_capacity(1 << 16, text);
        let names = read_header(&mut reader, &location)?;
        let text = Box::new(SingleQuotes::of(dense(reader, &location)?));
        let mut dialect = csv::ReaderBuilder::new();
        dialect
            .quote(b'\'')
            .double_quote(false)
            .escape(Some(b'\\'))
            .comment(Some(b'%'))
            .trim(csv::Trim::All);
        Ok(Self {
            rows: CsvSource::of_dialect(&mut dialect, text, location, names),
        })
    }
}

impl Source for ArffSource {
    fn description(&self) -> &str {
        self.rows.description()
    }

    fn next_batch(&mut self) -> Result<Option<RawBatch>, SourceError> {
        let mut batch = self.rows.next_batch()?;
        for column in batch.iter_mut().flat_map(|batch| &mut batch.columns) {
            if let RawColumn::Text(texts) = column {
                let known = |cell: Option<_>| cell.filter(|text| *text != "?");
                *texts = texts.iter().map(known).collect::<TextColumn>();
            }
        }
        Ok(batch)
    }
}

/// Reads up to `@data`; returns the attributes' names.
fn read_header(reader: &mut BufReader<Bytes>, location: &str) -> Result<Vec<String>, SourceError> {
    let mut names = Vec::new();
    let mut line = Vec::new();
    let (mut left, mut number) = (RECORD_BYTES, 0);
    loop {
        line.clear();
        number += 1;
        let n = reader
            .by_ref()
            .take(left as u64)
            .read_until(b'\n', &mut line);
        let n = n.map_err(|e| failed(location, &e))?;
        left -= n;
        if n == 0 {
            return Err(malformed(location, "it has no `@data`: is it ARFF?"));
        }
        let refuse = |reason: &str| malformed(location, &format!("line {number}: {reason}"));
        let text = std::str::from_utf8(&line).map_err(|_| refuse("it is not UTF-8"))?;
        let text = text.trim();
        let shown = || printable(text).chars().take(SHOWN).collect::<String>();
        let keyword = text.split_ascii_whitespace().next().unwrap_or_default();
        let rest = text[keyword.len()..].trim_start();
        match keyword.to_ascii_lowercase().as_str() {
            "@data" => return Ok(names),
            "@attribute" => {
                let found = name(rest);
                names.push(found.ok_or_else(|| refuse(&format!("`{}` is no attribute", shown())))?);
            }
            "@relation" => {}
            other if other.is_empty() || other.starts_with('%') => {}
            _ => {
                let reason = format!("`{}` has no place before `@data`", shown());
                return Err(refuse(&reason));
            }
        }
    }
}

/// Returns the name at the beginning of an attribute's declaration; none where there is none, or where a
/// list of levels behind it is not closed.
fn name(declaration: &str) -> Option<String> {
    let quote = declaration.chars().next()?;
    let (name, kind) = if quote == '\'' || quote == '"' {
        declaration[1..].split_once(quote)?
    } else {
        // A list of levels may follow without a space.
        let is_end = |c: char| c.is_ascii_whitespace() || c == '{';
        declaration.split_at(declaration.find(is_end).unwrap_or(declaration.len()))
    };
    let is_whole = !kind.trim_start().starts_with('{') || kind.contains('}');
    (!declaration.is_empty() && is_whole).then(|| name.trim().to_owned())
}

/// Checks that rows list all cells, as far as the first tells.
fn dense(mut reader: BufReader<Bytes>, location: &str) -> Result<Bytes, SourceError> {
    let mut head = Vec::new();
    loop {
        let at = head.len();
        let n = reader
            .by_ref()
            .take(RECORD_BYTES as u64)
            .read_until(b'\n', &mut head);
        let line = match n.map_err(|e| failed(location, &e))? {
            0 => break,
            _ => head[at..].trim_ascii(),
        };
        match line.first() {
            Some(b'{') => {
                let reason = "its rows are sparse (`{index value, …}`): write it with all cells";
                return Err(malformed(location, reason));
            }
            None | Some(b'%') if head.len() < RECORD_BYTES => {}
            _ => break,
        }
    }
    Ok(Box::new(Cursor::new(head).chain(reader)))
}
