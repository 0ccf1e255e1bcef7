//! Whole numbers that would be loaded as other ones, because `f64` does not hold them.

use dataset::{
    ColumnType, Defect, Extent, MAX_EXACT_INTEGER, RawBatch, RawColumn, Schema, format_number,
};

/// Finds them among the cells of whole numbers, and of numbers that are a key: there another record would
/// be written over. Other numbers are as exact as `f64` is, which is what their type says.
pub(super) fn rounded_cells(batch: &RawBatch, schema: &Schema, key: &[String]) -> Vec<Defect> {
    let rule = |name: &String| match schema.column(name).map(|column| column.kind) {
        Some(ColumnType::Integer) if *name != schema.target.column => Some(is_rounded as Rule),
        Some(ColumnType::Number) if key.contains(name) => Some(is_another as Rule),
        _ => None,
    };
    let mut found = Vec::new();
    for (column, name) in batch.names.iter().enumerate() {
        let (Some(rule), RawColumn::Text(texts)) = (rule(name), &batch.columns[column]) else {
            continue;
        };
        for (row, text) in texts.iter().enumerate() {
            let text = text.unwrap_or_default().trim();
            if rule(text) && !schema.is_missing_token(text) {
                found.push(Defect {
                    extent: Extent::Cell { row, column },
                    reason: format!(
                        "{text} is beyond 2^53 and would be rounded: declare the column as text"
                    ),
                });
            }
        }
    }
    found
}

/// Tells the cells that are meant.
type Rule = fn(&str) -> bool;

/// Returns whether a text is such a number and would be written in another way than it came.
fn is_another(text: &str) -> bool {
    is_rounded(text) && text.parse().map(format_number).as_deref() != Ok(text)
}

/// Returns whether a text is a number beyond 2^53, where those that `f64` holds are not written as they came
/// either, or one that comes out as 2^53 itself.
fn is_rounded(text: &str) -> bool {
    // Up to 15 digits are kept, whatever they are.
    if text.len() < 16 {
        return false;
    }
    let Ok(number) = text.parse::<f64>() else {
        return false;
    };
    let limit = MAX_EXACT_INTEGER as f64;
    match number.abs() {
        n if n == limit => text.parse() != Ok(number as i128),
        n => n.is_finite() && n > limit,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_rounded_when_it_comes_out_as_another_one() {
        let exact = [
            "9007199254740992",
            "-9007199254740992",
            "+9007199254740991",
            "0000000000000000000007",
            "0.1234567890123456789",
            "1e300",
            "not a number at all",
        ];
        let rounded = [
            "9007199254740993",
            "-9007199254740993",
            "1152921504606846976",
            "18446744073709551615",
            "9007199254740993.0",
            "10000000000000000000000000000000000000000",
        ];
        for text in exact {
            assert!(!is_rounded(text), "{text}");
        }
        for text in rounded {
            assert!(is_rounded(text) && is_another(text), "{text}");
        }
        assert!(!is_another("1.2345678901234567e30"));
    }
}
