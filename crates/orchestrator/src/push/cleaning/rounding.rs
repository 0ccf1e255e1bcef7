//! Numbers that would be loaded as other ones, because `f64` does not hold them.

use dataset::{ColumnType, Defect, Extent, MAX_EXACT_INTEGER, RawBatch, RawColumn, Schema};

/// Finds them among the cells of whole numbers, and of numbers that are a key: there another record would
/// be written over. Other numbers are as exact as `f64` is, which is what their type says.
pub(super) fn rounded_cells(batch: &RawBatch, schema: &Schema, key: &[String]) -> Vec<Defect> {
    let rule = |name: &String| match schema.column(name).map(|column| column.kind) {
        Some(ColumnType::Integer) if *name != schema.target.column => {
            Some((is_rounded as Rule, "is beyond 2^53"))
        }
        Some(ColumnType::Number) if key.contains(name) => {
            Some((is_another as Rule, "has more digits than a number keeps"))
        }
        _ => None,
    };
    let mut found = Vec::new();
    for (column, name) in batch.names.iter().enumerate() {
        let (Some((rule, why)), RawColumn::Text(texts)) = (rule(name), &batch.columns[column])
        else {
            continue;
        };
        for (row, text) in texts.iter().enumerate() {
            let text = text.unwrap_or_default().trim();
            if rule(text) && !schema.is_missing_token(text) {
                found.push(Defect {
                    extent: Extent::Cell { row, column },
                    reason: format!(
                        "{text} {why} and would be rounded: declare the column as text"
                    ),
                });
            }
        }
    }
    found
}

/// Tells the cells that are meant.
type Rule = fn(&str) -> bool;

/// Returns whether a text is a number that comes out as another one.
fn is_another(text: &str) -> bool {
    // Up to 15 digits are kept, whatever they are.
    if text.len() < 16 {
        return false;
    }
    let Ok(number) = text.parse::<f64>() else {
        return false;
    };
    number.is_finite() && Decimal::of(text) != Decimal::of(&format!("{number:e}"))
}

/// A decimal number, without zeros around its digits.
#[derive(PartialEq)]
struct Decimal {
    is_negative: bool,
    digits: String,
    /// Power of ten that the last digit counts for.
    exponent: i64,
}

impl Decimal {
    fn of(text: &str) -> Option<Self> {
        let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
        let is_negative = mantissa.starts_with('-');
        let mantissa = mantissa.trim_start_matches(['+', '-']);
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let all = format!("{whole}{fraction}");
        let digits = all.trim_end_matches('0');
        let n_zeros = all.len() - digits.len();
        let digits = digits.trim_start_matches('0').to_owned();
        let exponent: i64 = exponent.parse().ok()?;
        let exponent = exponent - fraction.len() as i64 + n_zeros as i64;
        Some(Self {
            is_negative: is_negative && !digits.is_empty(),
            exponent: if digits.is_empty() { 0 } else { exponent },
            digits,
        })
    }
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
            assert!(is_rounded(text), "{text}");
        }
        // One digit and zeros stay the same number.
        assert!(rounded.into_iter().take(5).all(is_another));
        assert!(!is_another(rounded[5]));
        let kept = [
            "1.2345678901234567e30",
            "001732659610.12345670000",
            "-0.0000000000000000",
            "1000000000000000000000000",
            "9007199254740992",
        ];
        for text in kept {
            assert!(!is_another(text), "{text}");
        }
        assert!(is_another("1732659610.123456789"));
        assert!(is_another("0.1234567890123456789"));
    }
}
