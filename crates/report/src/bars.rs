//! Small pictures beside figures: distributions, shares, means with their spread.

use dataset::profile::{Bar, BarRange, ColumnProfile, LevelCount, Scale, Values};

use crate::{
    figures,
    markup::{Markup, tag},
};

/// Bars of a distribution, at most.
const N_BARS: usize = 14;
/// Up to so many bars have their labels below them.
const N_LABELLED: usize = 5;
const WIDTH: f64 = 220.0;
const BARS_HEIGHT: f64 = 46.0;
const HEIGHT: f64 = 62.0;
/// Width of a character of a label, on average.
const CHARACTER: f64 = 6.0;

/// Draws the distribution of a column; a tick on each bar stands where it would end in the reference.
pub fn distribution(column: &ColumnProfile, reference: Option<&ColumnProfile>) -> Markup {
    let bars = column.histogram(N_BARS);
    let shares = shares(bars.iter().map(|bar| bar.count));
    let marks = reference.map(|r| self::shares(r.counts_in(&bars).into_iter()));
    let highest = shares.iter().chain(marks.iter().flatten());
    let highest = highest.copied().fold(f64::MIN_POSITIVE, f64::max);
    let height = |share: f64| share / highest * BARS_HEIGHT;
    let slot = WIDTH / bars.len().max(1) as f64;

    let drawn = bars
        .iter()
        .zip(&shares)
        .enumerate()
        .map(|(at, (bar, share))| {
            // A bar of few rows is still seen.
            let tall = height(*share).max(if *share > 0.0 { 1.0 } else { 0.0 });
            rect(
                at as f64 * slot,
                slot,
                tall,
                &format!("{}: {}", bar.label, figures::percent(*share)),
            )
        });
    let ticks = marks.iter().flatten().enumerate();
    let ticks = ticks.map(|(at, share)| tick(at as f64 * slot, slot, height(*share)));
    let title = tag("title", &[], described(column, &bars, &shares));
    let parts = [title]
        .into_iter()
        .chain(drawn)
        .chain(ticks)
        .chain(labels(column, &bars, slot));
    let frame = format!("0 0 {WIDTH} {HEIGHT}");
    tag(
        "svg",
        &[
            ("class", "distribution"),
            ("viewBox", &frame),
            ("role", "img"),
        ],
        parts.collect::<Markup>(),
    )
}

/// Draws a share as a bar of that length.
pub fn share(share: f64, class: &str) -> Markup {
    let width = coordinate(share.clamp(0.0, 1.0) * 100.0);
    let bar = tag(
        "rect",
        &[("class", class), ("width", &width), ("height", "10")],
        "",
    );
    let attributes = [
        ("class", "share"),
        ("viewBox", "0 0 100 10"),
        ("preserveAspectRatio", "none"),
        ("aria-hidden", "true"),
    ];
    tag("svg", &attributes, bar)
}

/// Draws a mean as a dot and one standard deviation to both sides as a line, between two ends; a mean
/// outside of them is an arrow at the end that it lies beyond.
pub fn spread(mean: f64, std: f64, (low, high): (f64, f64)) -> Markup {
    let place = |value: f64| {
        let share = (value - low) / (high - low).max(f64::MIN_POSITIVE);
        coordinate(4.0 + share.clamp(0.0, 1.0) * 112.0)
    };
    let (left, right) = (place(mean - std), place(mean + std));
    let line = [
        ("x1", left.as_str()),
        ("x2", &right),
        ("y1", "7"),
        ("y2", "7"),
    ];
    let middle = place(mean);
    let dot = [("cx", middle.as_str()), ("cy", "7"), ("r", "3.5")];
    let mark = match mean {
        mean if mean < low => tag("path", &[("d", "M8 3 2 7l6 4z")], ""),
        mean if mean > high => tag("path", &[("d", "M112 3l6 4-6 4z")], ""),
        _ => Markup::from([tag("line", &line, ""), tag("circle", &dot, "")]),
    };
    let attributes = [
        ("class", "spread"),
        ("viewBox", "0 0 120 14"),
        ("aria-hidden", "true"),
    ];
    tag("svg", &attributes, mark)
}

fn shares(counts: impl Iterator<Item = u64> + Clone) -> Vec<f64> {
    let total = counts.clone().sum::<u64>().max(1) as f64;
    counts.map(|count| count as f64 / total).collect()
}

fn rect(x: f64, slot: f64, tall: f64, title: &str) -> Markup {
    let [x, y] = [x + gap(slot) / 2.0, BARS_HEIGHT - tall].map(coordinate);
    let [width, height] = [slot - gap(slot), tall].map(coordinate);
    let place = [
        ("x", x.as_str()),
        ("y", &y),
        ("width", &width),
        ("height", &height),
    ];
    tag("rect", &place, tag("title", &[], title))
}

fn tick(x: f64, slot: f64, tall: f64) -> Markup {
    let [x1, x2] = [x + gap(slot) / 4.0, x + slot - gap(slot) / 4.0].map(coordinate);
    let y = coordinate(BARS_HEIGHT - tall);
    tag(
        "line",
        &[("x1", &x1), ("x2", &x2), ("y1", &y), ("y2", &y)],
        "",
    )
}

/// Few wide bars want a wider gap.
fn gap(slot: f64) -> f64 {
    (slot * 0.15).min(8.0)
}

/// Labels every bar of few, and both ends of many numbers; many texts go without.
fn labels(column: &ColumnProfile, bars: &[Bar], slot: f64) -> Vec<Markup> {
    let centre = |at: usize| (at as f64 + 0.5) * slot;
    let is_level = |bar: &Bar| !matches!(bar.range, BarRange::Numbers(..));
    if bars.len() <= N_LABELLED && bars.iter().all(is_level) {
        let label = |(at, bar): (usize, &Bar)| label(centre(at), "middle", &bar.label, slot);
        return bars.iter().enumerate().map(label).collect();
    }
    let (Some(first), Some(last)) = (bars.first(), bars.last()) else {
        return Vec::new();
    };
    let (low, high) = match (&first.range, &last.range) {
        (BarRange::Numbers(low, _), BarRange::Numbers(_, high)) => {
            (figures::number(*low), figures::number(*high))
        }
        _ => match &column.values {
            Values::Levels(levels) if column.scale != Scale::Text => ends(levels),
            _ => return Vec::new(),
        },
    };
    vec![
        label(0.0, "start", &low, WIDTH / 2.0),
        label(WIDTH, "end", &high, WIDTH / 2.0),
    ]
}

fn ends(levels: &[LevelCount]) -> (String, String) {
    let text = |level: Option<&LevelCount>| level.map_or(String::new(), |l| l.text.clone());
    (text(levels.first()), text(levels.last()))
}

fn label(x: f64, anchor: &str, text: &str, room: f64) -> Markup {
    let place = [
        ("x", &*coordinate(x)),
        ("y", &*coordinate(HEIGHT - 4.0)),
        ("text-anchor", anchor),
    ];
    tag("text", &place, shortened(text, (room / CHARACTER) as usize))
}

fn shortened(text: &str, room: usize) -> String {
    if text.chars().count() <= room.max(2) {
        return text.to_owned();
    }
    text.chars().take(room.max(2) - 1).chain(['…']).collect()
}

fn described(column: &ColumnProfile, bars: &[Bar], shares: &[f64]) -> String {
    let name = &column.name;
    if let Values::Numbers(numbers) = &column.values {
        let points = numbers.quantiles.points();
        let ends = points.first().zip(points.last());
        let (low, high) = ends.map_or((f64::NAN, f64::NAN), |(a, b)| (a.value, b.value));
        let (low, high) = (figures::number(low), figures::number(high));
        return format!("Distribution of {name}, from {low} to {high}");
    }
    let parts = bars.iter().zip(shares);
    let parts = parts.map(|(bar, share)| format!("{} {}", bar.label, figures::percent(*share)));
    format!(
        "Distribution of {name}: {}",
        parts.collect::<Vec<_>>().join(", ")
    )
}

/// Writes a coordinate to the tenth of a unit.
fn coordinate(value: f64) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0").unwrap_or(&text).to_owned()
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    fn levels(counts: &[(&str, u64)]) -> ColumnProfile {
        let n = counts.iter().map(|(_, count)| count).sum();
        let counts = counts.iter().enumerate();
        ColumnProfile {
            name: "<script>".to_owned(),
            scale: Scale::Text,
            n,
            n_missing: 0,
            n_distinct: counts.len() as u64,
            values: Values::Levels(
                counts
                    .map(|(at, (text, count))| LevelCount {
                        value: at as f64,
                        text: (*text).to_owned(),
                        count: *count,
                    })
                    .collect(),
            ),
        }
    }

    #[test]
    fn levels_are_drawn_with_the_reference_as_ticks() {
        let (fresh, reference) = (
            levels(&[("a\"b", 3), ("c", 1)]),
            levels(&[("a\"b", 1), ("c", 1)]),
        );
        expect![[r#"<svg class="distribution" viewBox="0 0 220 62" role="img"><title>Distribution of &lt;script&gt;: a&quot;b 75.0 %, c 25.0 %</title><rect x="4" y="0" width="102" height="46"><title>a&quot;b: 75.0 %</title></rect><rect x="114" y="30.7" width="102" height="15.3"><title>c: 25.0 %</title></rect><line x1="2" x2="108" y1="15.3" y2="15.3"/><line x1="112" x2="218" y1="15.3" y2="15.3"/><text x="55" y="58" text-anchor="middle">a&quot;b</text><text x="165" y="58" text-anchor="middle">c</text></svg>"#]].assert_eq(distribution(&fresh, Some(&reference)).as_str());
    }

    #[test]
    fn a_column_without_values_is_an_empty_picture() {
        let drawn = distribution(&levels(&[]), None);
        assert!(!drawn.as_str().contains("NaN"), "{drawn:?}");
    }

    #[test]
    fn labels_are_cut_to_the_room_below_their_bar() {
        assert_eq!(shortened("domain_u", 5), "doma…");
        assert_eq!(shortened("http", 5), "http");
    }

    #[test]
    fn shares_and_spreads_stay_within_their_frames() {
        assert!(share(7.0, "x").as_str().contains("width=\"100\""));
        let beyond = spread(-1.0, 0.1, (0.0, 1.0));
        assert!(!beyond.as_str().contains("circle"), "{beyond:?}");
        let drawn = spread(0.5, 9.0, (0.0, 1.0));
        assert!(drawn.as_str().contains("x1=\"4\" x2=\"116\""), "{drawn:?}");
    }
}
