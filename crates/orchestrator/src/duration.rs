//! Spans of time on the command line: `90s`, `30m`, `24h`, `7d`.

use std::str::FromStr;

/// A span of whole seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seconds(pub u64);

impl FromStr for Seconds {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let units = [('s', 1), ('m', 60), ('h', 3600), ('d', 86_400)];
        let parsed = units.iter().find_map(|(unit, seconds)| {
            let number: u64 = text.strip_suffix(*unit)?.parse().ok()?;
            number.checked_mul(*seconds)
        });
        parsed
            .map(Self)
            .ok_or_else(|| "write a whole number and its unit: 90s, 30m, 24h or 7d".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, seconds: Option<u64>) {
        assert_eq!(text.parse::<Seconds>().ok().map(|s| s.0), seconds, "{text}");
    }

    #[test]
    fn a_span_is_a_whole_number_with_its_unit() {
        check("0s", Some(0));
        check("30m", Some(1800));
        check("24h", Some(86_400));
        check("7d", Some(604_800));
        for wrong in [
            "",
            "h",
            "24",
            "1.5h",
            "-1h",
            "24 h",
            "1w",
            "99999999999999999d",
        ] {
            check(wrong, None);
        }
    }
}
