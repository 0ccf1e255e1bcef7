//! Curves on axes, drawn by `plotters` and coloured by the page's style sheet.

use plotters::{
    coord::{Shift, types::RangedCoordf64},
    element::{Circle, Rectangle, TriangleMarker},
    prelude::{Cartesian2d, ChartBuilder, ChartContext, DrawingArea, IntoDrawingArea, SVGBackend},
    series::LineSeries,
    style::{Color, FontTransform, IntoFont, RGBColor, ShapeStyle},
};

use crate::markup::{Markup, tag};

/// Units of the drawing in one unit of the page: `plotters` rounds to whole units, and a curve in
/// whole pixels looks like stairs.
const SCALE: u32 = 4;
const WIDTH: u32 = 420 * SCALE;
const HEIGHT: u32 = 320 * SCALE;
const FONT: u32 = 14 * SCALE;

/// Stand-ins for the page's colours, which differ between light and dark: `plotters` writes them as
/// hexadecimal numbers, for which [`recoloured`] puts the variables of the style sheet.
const INK: RGBColor = RGBColor(1, 0, 0);
const GRID: RGBColor = RGBColor(2, 0, 0);
const CURVE: RGBColor = RGBColor(3, 0, 0);
const THREAT: RGBColor = RGBColor(4, 0, 0);
const COLOURS: [(&str, &str); 4] = [
    ("\"#010000\"", "\"var(--muted)\""),
    ("\"#020000\"", "\"var(--line)\""),
    ("\"#030000\"", "\"var(--accent)\""),
    ("\"#040000\"", "\"var(--threat)\""),
];

type Canvas<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Chart<'a, 'b> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<RangedCoordf64, RangedCoordf64>>;
type Drawn = Result<(), Box<dyn std::error::Error>>;

/// A plot of one curve.
#[derive(Debug, Clone, Default)]
pub struct Plot<'a> {
    /// What it shows, for those who cannot see it.
    pub title: &'a str,
    /// What the axes mean.
    pub labels: (&'a str, &'a str),
    /// Where the axes end; they begin at 0.
    pub ends: (f64, f64),
    /// The curve.
    pub curve: Vec<(f64, f64)>,
    /// Whether the points of the curve are few enough to be marked.
    pub dotted: bool,
    /// A straight line for comparison, such as that of chance.
    pub reference: Option<[(f64, f64); 2]>,
    /// Bars from the lower axis: from, to, height.
    pub bars: Vec<(f64, f64, f64)>,
    /// The operating point, a disc.
    pub operating: Option<(f64, f64)>,
    /// The point of the best F1, a triangle.
    pub best_f1: Option<(f64, f64)>,
}

impl Plot<'_> {
    /// Draws the plot as an SVG that fills the width it is given.
    pub fn draw(&self) -> Markup {
        let mut svg = String::new();
        self.paint(SVGBackend::with_string(&mut svg, (WIDTH, HEIGHT)).into_drawing_area())
            .expect("drawing into a string does not fail");
        let frame = format!("0 0 {WIDTH} {HEIGHT}");
        let attributes = [
            ("class", "plot"),
            ("viewBox", frame.as_str()),
            ("role", "img"),
        ];
        let title = tag("title", &[], self.title);
        tag("svg", &attributes, [title, recoloured(shapes_of(&svg))])
    }

    fn paint(&self, canvas: Canvas<'_>) -> Drawn {
        let mut chart = ChartBuilder::on(&canvas)
            .margin(12 * SCALE)
            .x_label_area_size(40 * SCALE)
            .y_label_area_size(46 * SCALE)
            .build_cartesian_2d(0.0..self.ends.0, 0.0..self.ends.1)?;
        self.paint_axes(&mut chart)?;
        self.paint_background(&mut chart)?;
        self.paint_curve(&mut chart)?;
        self.paint_marks(&mut chart)?;
        drop(chart);
        Ok(canvas.present()?)
    }

    fn paint_axes(&self, chart: &mut Chart<'_, '_>) -> Drawn {
        let text = ("sans-serif", FONT).into_font().color(&INK);
        let steps = |end: f64| move |v: &f64| axis_label(*v, end);
        chart
            .configure_mesh()
            .x_labels(6)
            .y_labels(6)
            .max_light_lines(0)
            .bold_line_style(GRID.stroke_width(SCALE))
            .axis_style(INK.stroke_width(SCALE))
            .label_style(text.clone())
            .axis_desc_style(text.transform(FontTransform::None))
            .x_label_formatter(&steps(self.ends.0))
            .y_label_formatter(&steps(self.ends.1))
            .x_desc(self.labels.0)
            .y_desc(self.labels.1)
            .draw()?;
        Ok(())
    }

    fn paint_background(&self, chart: &mut Chart<'_, '_>) -> Drawn {
        let bar = |&(from, to, height): &(f64, f64, f64)| {
            Rectangle::new([(from, 0.0), (to, height)], CURVE.mix(0.2).filled())
        };
        chart.draw_series(self.bars.iter().map(bar))?;
        if let Some(line) = self.reference {
            chart.draw_series(LineSeries::new(line, INK.mix(0.6).stroke_width(SCALE)))?;
        }
        Ok(())
    }

    fn paint_curve(&self, chart: &mut Chart<'_, '_>) -> Drawn {
        let curve = within(&self.curve, self.ends.0);
        chart.draw_series(LineSeries::new(curve, CURVE.stroke_width(2 * SCALE)))?;
        if self.dotted {
            let dot = |&at: &(f64, f64)| Circle::new(at, 4 * SCALE, CURVE.filled());
            chart.draw_series(self.curve.iter().map(dot))?;
        }
        Ok(())
    }

    fn paint_marks(&self, chart: &mut Chart<'_, '_>) -> Drawn {
        let style: ShapeStyle = THREAT.filled();
        let seen = |at: Option<(f64, f64)>| at.filter(|at| at.0 <= self.ends.0);
        if let Some(at) = seen(self.best_f1) {
            chart.draw_series([TriangleMarker::new(at, 7 * SCALE, style)])?;
        }
        if let Some(at) = seen(self.operating) {
            chart.draw_series([Circle::new(at, 5 * SCALE, style)])?;
        }
        Ok(())
    }
}

/// Returns the part of a curve up to an end of the x axis, cut by interpolation.
fn within(curve: &[(f64, f64)], end: f64) -> Vec<(f64, f64)> {
    let inside = curve.iter().take_while(|(x, _)| *x <= end).count();
    let mut part = curve[..inside].to_vec();
    if let (Some(&(x0, y0)), Some(&(x1, y1))) = (part.last(), curve.get(inside)) {
        part.push((end, y0 + (y1 - y0) * (end - x0) / (x1 - x0)));
    }
    part
}

fn axis_label(value: f64, end: f64) -> String {
    if end < 0.2 {
        format!("{value:.2}")
    } else {
        format!("{value:.1}")
    }
}

/// Returns what stands inside the `svg` element: the page makes its own, with a title.
fn shapes_of(svg: &str) -> &str {
    let opened = svg.find('>').map_or(svg, |end| &svg[end + 1..]);
    opened.trim_end().trim_end_matches("</svg>").trim()
}

fn recoloured(shapes: &str) -> Markup {
    let shapes = COLOURS
        .iter()
        .fold(shapes.to_owned(), |svg, (stand_in, variable)| {
            svg.replace(stand_in, variable)
        });
    Markup::drawn(&shapes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_come_from_the_style_sheet() {
        let plot = Plot {
            title: "a & b",
            labels: ("x", "y"),
            ends: (1.0, 1.0),
            curve: vec![(0.0, 0.0), (0.5, 1.0)],
            dotted: true,
            reference: Some([(0.0, 0.0), (1.0, 1.0)]),
            bars: vec![(0.0, 0.1, 0.5)],
            operating: Some((0.5, 1.0)),
            best_f1: Some((0.2, 0.4)),
        };
        let svg = plot.draw();
        let svg = svg.as_str();
        assert!(!svg.contains('#'), "{svg}");
        assert!(svg.contains("<title>a &amp; b</title>"), "{svg}");
        for colour in ["muted", "line", "accent", "threat"] {
            assert!(svg.contains(&format!("var(--{colour})")), "{colour}");
        }
        assert_eq!(svg.matches("<svg").count(), 1);
    }

    #[test]
    fn a_curve_is_cut_where_the_axis_ends() {
        let curve = [(0.0, 0.0), (0.1, 0.5), (0.3, 0.7), (1.0, 1.0)];
        assert_eq!(within(&curve, 0.2), [(0.0, 0.0), (0.1, 0.5), (0.2, 0.6)]);
        assert_eq!(within(&curve, 1.0), curve);
    }
}
