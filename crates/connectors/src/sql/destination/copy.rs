//! Records as the lines that PostgreSQL's `COPY` reads, which it takes several times as fast as an INSERT's values.
//!
//! The text of each value is made what its column needs as a cast of it would:
//! <https://www.postgresql.org/docs/current/sql-copy.html>, "Text Format".

use std::fmt::Write as _;

use super::Record;
use crate::sql::link::Value;

/// Writes records, each with what its load is known by.
pub(super) fn rows(records: &[Record], load: &str) -> String {
    let mut lines = String::new();
    for record in records {
        for value in &record.values {
            put(value, &mut lines);
            lines.push('\t');
        }
        escape(load, &mut lines);
        // Nothing fails that writes into a text.
        let _ = writeln!(lines, "\t{}", record.number);
    }
    lines
}

fn put(value: &Value, line: &mut String) {
    let _ = match value {
        Value::Null => line.write_str("\\N"),
        Value::Integer(number) => write!(line, "{number}"),
        Value::Real(number) => write!(line, "{number}"),
        Value::Text(text) => {
            escape(text, line);
            Ok(())
        }
    };
}

/// Writes a text, in which what ends a cell or a line, and what such an escape begins with, stands for itself.
fn escape(text: &str, line: &mut String) {
    let mut rest = text;
    while let Some(at) = rest.find(['\\', '\t', '\n', '\r']) {
        let (plain, special) = rest.split_at(at);
        line.push_str(plain);
        line.push_str(match special.as_bytes()[0] {
            b'\t' => "\\t",
            b'\n' => "\\n",
            b'\r' => "\\r",
            _ => "\\\\",
        });
        rest = &special[1..];
    }
    line.push_str(rest);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_text_holds_ends_neither_its_cell_nor_its_line() {
        let texts = ["\\N", "\\.", "a\tb\r\nc\\", "", "ä\u{b}"];
        let record = |(row, text): (usize, &&str)| Record {
            row,
            number: row as i64 + 7,
            values: vec![Value::Null, Value::Real(-0.5), Value::from(*text)],
            digest: None,
        };
        let records: Vec<Record> = texts.iter().enumerate().map(record).collect();
        let expected = "\\N\t-0.5\t\\\\N\tload\t7\n\
                        \\N\t-0.5\t\\\\.\tload\t8\n\
                        \\N\t-0.5\ta\\tb\\r\\nc\\\\\tload\t9\n\
                        \\N\t-0.5\t\tload\t10\n\
                        \\N\t-0.5\tä\u{b}\tload\t11\n";
        assert_eq!(rows(&records, "load"), expected);
    }
}
