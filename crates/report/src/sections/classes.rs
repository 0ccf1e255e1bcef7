//! How each class and each attack family fares.

use registry::Evaluation;

use super::decisions::shaded;
use crate::{
    bars, figures,
    markup::Markup,
    table::{Align, table},
};

pub fn body(e: &Evaluation) -> Markup {
    let matrix = (e.class_names.len() > 2).then(|| matrix(e));
    // Benign and one family are the two classes again.
    let families = (e.families.len() > 2).then(|| families(e));
    Markup::from([per_class(e), matrix.into(), families.into()])
}

fn per_class(e: &Evaluation) -> Markup {
    let columns = [
        ("Class", Align::Words),
        ("Records", Align::Figures),
        ("Precision", Align::Figures),
        ("Recall", Align::Figures),
        ("F1", Align::Figures),
    ];
    let rows = e.class_names.iter().enumerate().map(|(class, name)| {
        let c = e.classes.one_vs_rest(class);
        let figures = [c.precision(), c.recall(), c.f1()];
        let cells = figures.map(|value| Markup::text(figures::metric(value)));
        let count = figures::count(c.tp + c.fn_);
        [Markup::text(name), Markup::text(count)]
            .into_iter()
            .chain(cells)
            .collect()
    });
    table("Per class, at the operating threshold", &columns, rows)
}

fn matrix(e: &Evaluation) -> Markup {
    let mut columns = vec![("Truth", Align::Words)];
    columns.extend(
        e.class_names
            .iter()
            .map(|name| (name.as_str(), Align::Figures)),
    );
    let n = e.class_names.len();
    let rows = e.class_names.iter().enumerate().map(|(truth, name)| {
        let total = (0..n)
            .map(|class| e.classes.count(truth, class))
            .sum::<u64>()
            .max(1);
        let cells = (0..n).map(|class| {
            let count = e.classes.count(truth, class);
            shaded(count, count as f64 / total as f64, class == truth)
        });
        [Markup::text(name)].into_iter().chain(cells).collect()
    });
    table("Truth by row, decision by column", &columns, rows)
}

fn families(e: &Evaluation) -> Markup {
    let columns = [
        ("Family", Align::Words),
        ("Records", Align::Figures),
        ("Bar", Align::Picture),
        ("At the operating threshold", Align::Figures),
        ("At the F1 threshold", Align::Figures),
    ];
    let rows = e.families.iter().map(|family| {
        vec![
            Markup::text(&family.family),
            Markup::text(figures::count(family.rows)),
            bars::share(family.at_operating, "fill"),
            Markup::text(figures::percent(family.at_operating)),
            Markup::text(figures::percent(family.at_f1)),
        ]
    });
    table(
        "Per family: threats caught, benign records let pass",
        &columns,
        rows,
    )
}
