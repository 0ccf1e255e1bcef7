//! Numbers as people read them.

use model::resampling::Interval;

use crate::markup::{Markup, tag};

/// What stands for an undefined number.
const UNDEFINED: &str = "–";

/// Writes a count with thousands apart: `11,055`.
pub fn count(n: impl TryInto<u64>) -> String {
    let digits = n.try_into().unwrap_or(u64::MAX).to_string();
    let mut grouped = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// Writes a count with its noun: `1 row`, `2,000 rows`.
pub fn counted(n: usize, noun: &str) -> String {
    let plural = if n == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", count(n as u64))
}

/// Writes a metric with four decimals.
pub fn metric(value: f64) -> String {
    finite(value, |v| format!("{v:.4}"))
}

/// Writes a difference with its sign.
pub fn difference(value: f64) -> String {
    finite(value, |v| format!("{v:+.4}").replace('-', "−"))
}

/// Writes a share in percent with one decimal; what is not quite nothing is not written as nothing.
pub fn percent(share: f64) -> String {
    finite(share, |share| match share * 100.0 {
        p if p > 0.0 && p < 0.05 => "< 0.1 %".to_owned(),
        p if (99.95..100.0).contains(&p) => "> 99.9 %".to_owned(),
        p => format!("{p:.1} %"),
    })
}

/// Writes a p-value.
pub fn p_value(p: f64) -> String {
    finite(p, |p| {
        if p < 0.0001 {
            "< 0.0001".to_owned()
        } else {
            format!("{p:.4}")
        }
    })
}

/// Writes any number in at most four significant digits.
pub fn number(value: f64) -> String {
    finite(value, |v| match v.abs() {
        0.0 => "0".to_owned(),
        size if !(1e-3..1e6).contains(&size) => format!("{v:.2e}").replace('-', "−"),
        size => {
            let decimals = (3 - size.log10().floor() as i32).max(0) as usize;
            let text = format!("{v:.decimals$}");
            let text = match text.contains('.') {
                true => text.trim_end_matches('0').trim_end_matches('.'),
                false => &text,
            };
            text.replace('-', "−")
        }
    })
}

/// Writes the bounds of an interval.
pub fn bounds(interval: &Interval) -> String {
    if interval.low.is_nan() || interval.high.is_nan() {
        return "no interval".to_owned();
    }
    format!("{} to {}", metric(interval.low), metric(interval.high))
}

/// Writes a duration as an element of its own, the only place where clock times enter a page.
pub fn seconds(seconds: f64) -> Markup {
    let text = match seconds {
        s if s < 10.0 => format!("{s:.3} s"),
        s => format!("{s:.1} s"),
    };
    let machine = format!("PT{seconds:.3}S");
    tag("time", &[("datetime", &machine)], text)
}

/// Writes a moment, given in RFC 3339, to the second.
pub fn moment(rfc3339: &str) -> Markup {
    let to_the_second = rfc3339.split('.').next().unwrap_or(rfc3339);
    let shown = to_the_second.trim_end_matches('Z').replace('T', " ") + " UTC";
    tag("time", &[("datetime", rfc3339)], shown)
}

/// Turns a name of the code into words: `gradient_boosting` into `gradient boosting`.
pub fn words(name: &str) -> String {
    name.replace('_', " ")
}

fn finite(value: f64, write: impl Fn(f64) -> String) -> String {
    if value.is_finite() {
        write(value)
    } else {
        UNDEFINED.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_for_people() {
        assert_eq!(
            [0u64, 999, 1_000, 1_234_567].map(count),
            ["0", "999", "1,000", "1,234,567"]
        );
        assert_eq!([1, 2].map(|n| counted(n, "row")), ["1 row", "2 rows"]);
        assert_eq!([0.98764, f64::NAN].map(metric), ["0.9876", "–"]);
        assert_eq!([0.01, -0.01].map(difference), ["+0.0100", "−0.0100"]);
        let shares = [0.0, 0.0001, 0.5, 0.99999, 1.0];
        assert_eq!(
            shares.map(percent),
            ["0.0 %", "< 0.1 %", "50.0 %", "> 99.9 %", "100.0 %"]
        );
        assert_eq!([1e-9, 0.25].map(p_value), ["< 0.0001", "0.2500"]);
        let numbers = [0.0, 1.0, -2.5, 1234.5, 0.012_345, 100.0, 3e9, -1e-7];
        let written = [
            "0",
            "1",
            "−2.5",
            "1234",
            "0.01235",
            "100",
            "3.00e9",
            "−1.00e−7",
        ];
        assert_eq!(numbers.map(number), written);
    }

    #[test]
    fn clock_times_are_elements_that_can_be_left_out() {
        let text = |markup: Markup| markup.as_str().to_owned();
        assert_eq!(
            text(seconds(1.5)),
            "<time datetime=\"PT1.500S\">1.500 s</time>"
        );
        let shown = text(moment("2026-02-03T10:11:12.345Z"));
        assert!(
            shown.ends_with(">2026-02-03 10:11:12 UTC</time>"),
            "{shown}"
        );
    }
}
