//! Tables with a caption, column heads and row heads.

use crate::markup::{Markup, tag};

/// How a column's cells stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    /// Words, to the left.
    Words,
    /// Figures, to the right, digits of equal width.
    Figures,
    /// A picture beside its figure; the head is read out, not shown.
    Picture,
}

/// Makes a table; the first cell of each row is its head.
///
/// It scrolls sideways within its own frame where the screen is too narrow for it.
pub fn table(
    caption: &str,
    columns: &[(&str, Align)],
    rows: impl IntoIterator<Item = Vec<Markup>>,
) -> Markup {
    let heads = columns.iter().map(|(name, align)| {
        let class = class_of(*align);
        tag("th", &[("scope", "col"), ("class", class)], *name)
    });
    let body: Markup = rows.into_iter().map(|cells| row(columns, cells)).collect();
    let table = tag(
        "table",
        &[],
        [
            tag("caption", &[], caption),
            tag("thead", &[], tag("tr", &[], heads.collect::<Markup>())),
            tag("tbody", &[], body),
        ],
    );
    // Keyboards reach what scrolls only when it can be focused.
    let frame = [
        ("class", "scroll"),
        ("tabindex", "0"),
        ("role", "region"),
        ("aria-label", caption),
    ];
    tag("div", &frame, table)
}

fn row(columns: &[(&str, Align)], cells: Vec<Markup>) -> Markup {
    let cells = cells.into_iter().zip(columns).enumerate();
    let cells: Markup = cells
        .map(|(at, (cell, (_, align)))| {
            let class = class_of(*align);
            if at == 0 {
                tag("th", &[("scope", "row"), ("class", class)], cell)
            } else {
                tag("td", &[("class", class)], cell)
            }
        })
        .collect();
    tag("tr", &[], cells)
}

fn class_of(align: Align) -> &'static str {
    match align {
        Align::Words => "words",
        Align::Figures => "figures",
        Align::Picture => "picture",
    }
}
