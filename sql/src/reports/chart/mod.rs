//! Bars of a report as SVG: one a row, with its value and a scale in readable units.
//!
//! - G1: the text of an SVG is text: markup in names is escaped, and what XML forbids or turns text around is replaced.
//! - G2: nothing overlaps: labels, bars and values have columns of their own, as wide as the longest text needs, and a
//!   text that is longer than its column is cut in its middle.
//!
//! No font is needed to draw: widths are estimated on the wide side, and whoever shows the picture brings the font.

mod scale;
mod text;

use plotters::backend::SVGBackend;
use plotters::coord::Shift;
use plotters::drawing::{DrawingArea, DrawingAreaErrorKind, IntoDrawingArea as _};
use plotters::element::{PathElement, Rectangle, Text};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color as _, FontStyle, IntoFont as _, RGBColor, ShapeStyle, TextStyle};

use self::scale::Scale;
use super::Unit;

/// A picture of bars.
#[derive(Debug, Clone, PartialEq)]
pub struct Bars {
    /// What it shows.
    pub title: String,
    /// Of what, and when.
    pub subtitle: String,
    /// What the values are.
    pub unit: Unit,
    /// The rows, from the top.
    pub rows: Vec<Bar>,
}

/// A bar.
#[derive(Debug, Clone, PartialEq)]
pub struct Bar {
    /// What it is of.
    pub label: String,
    /// How long it is. One that is not a finite number is drawn as none.
    pub value: f64,
}

/// The most bars of a picture: more are told by a line below.
pub const BARS_MAX: usize = 40;

const WIDTH: i32 = 960;
const MARGIN: i32 = 24;
/// Where the first bar's row begins.
const TOP: i32 = 88;
const ROW: i32 = 28;
const BAR: i32 = 18;
/// Room for the scale below the bars.
const BOTTOM: i32 = 56;
/// Between columns.
const GAP: i32 = 10;
/// The widest that labels may be.
const LABELS_MAX: i32 = 340;

const INK: RGBColor = RGBColor(0x1f, 0x29, 0x33);
const QUIET: RGBColor = RGBColor(0x62, 0x6f, 0x7c);
const LINE: RGBColor = RGBColor(0xe1, 0xe6, 0xeb);
const GROUND: RGBColor = RGBColor(0xff, 0xff, 0xff);
const MORE: RGBColor = RGBColor(0x2f, 0x6f, 0xb7);
const LESS: RGBColor = RGBColor(0xc4, 0x56, 0x2f);

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Drawn = Result<(), DrawingAreaErrorKind<std::io::Error>>;

/// A picture could not be drawn.
#[derive(Debug, thiserror::Error)]
#[error("the chart could not be drawn: {0}")]
pub struct ChartError(String);

impl Bars {
    /// The picture.
    pub fn to_svg(&self) -> Result<String, ChartError> {
        let shown = &self.rows[..self.rows.len().min(BARS_MAX)];
        let layout = Layout::of(shown, self.unit);
        let mut svg = String::new();
        let drawn = {
            let size = (WIDTH as u32, layout.height as u32);
            let area = SVGBackend::with_string(&mut svg, size).into_drawing_area();
            self.draw(&area, shown, &layout)
        };
        drawn.map_err(|error| ChartError(error.to_string()))?;
        Ok(svg)
    }

    fn draw(&self, area: &Area<'_>, shown: &[Bar], layout: &Layout) -> Drawn {
        area.fill(&GROUND)?;
        let wide = WIDTH - 2 * MARGIN;
        write(area, &self.title, (MARGIN, 30), (HPos::Left, wide), Pen::Title)?;
        write(area, &self.subtitle, (MARGIN, 56), (HPos::Left, wide), Pen::Note)?;
        if shown.is_empty() {
            return write(
                area,
                "There are no rows.",
                (MARGIN, TOP + ROW / 2),
                (HPos::Left, wide),
                Pen::Label,
            );
        }
        self.draw_scale(area, layout)?;
        for (bar, row) in shown.iter().zip(0..) {
            self.draw_bar(area, bar, TOP + row * ROW + ROW / 2, layout)?;
        }
        let zero = layout.x(0.0);
        area.draw(&PathElement::new([(zero, TOP), (zero, layout.end())], QUIET.stroke_width(1)))?;
        let left_out = self.rows.len() - shown.len();
        if left_out > 0 {
            let note = format!("and {left_out} more");
            write(area, &note, (MARGIN, layout.height - 16), (HPos::Left, wide), Pen::Note)?;
        }
        area.present()
    }

    fn draw_scale(&self, area: &Area<'_>, layout: &Layout) -> Drawn {
        for &tick in &layout.scale.ticks {
            let x = layout.x(tick);
            area.draw(&PathElement::new([(x, TOP), (x, layout.end())], LINE.stroke_width(1)))?;
            let label = layout.scale.label(tick);
            write(area, &label, (x, layout.end() + 16), (HPos::Center, WIDTH), Pen::Note)?;
        }
        Ok(())
    }

    fn draw_bar(&self, area: &Area<'_>, bar: &Bar, y: i32, layout: &Layout) -> Drawn {
        let value = if bar.value.is_finite() { bar.value } else { 0.0 };
        write(area, &bar.label, (MARGIN + layout.labels, y), (HPos::Right, layout.labels), Pen::Label)?;
        let (from, to) = (layout.x(value.min(0.0)), layout.x(value.max(0.0)));
        let fill: ShapeStyle = if value < 0.0 { LESS.filled() } else { MORE.filled() };
        // What is not nothing is seen.
        let to = if value != 0.0 { to.max(from + 1) } else { to };
        area.draw(&Rectangle::new([(from, y - BAR / 2), (to, y + BAR / 2)], fill))?;
        let told = self.unit.tell(value);
        write(area, &told, (to + GAP / 2, y), (HPos::Left, layout.values), Pen::Value)
    }
}

/// Where everything stands.
struct Layout {
    scale: Scale,
    /// The width of the labels' column.
    labels: i32,
    /// The width of the values' column.
    values: i32,
    height: i32,
}

impl Layout {
    fn of(bars: &[Bar], unit: Unit) -> Self {
        let widest = |texts: &mut dyn Iterator<Item = String>, pen: Pen| {
            texts.map(|text| text::width(&text, pen.size())).max().unwrap_or(0)
        };
        let labels = widest(&mut bars.iter().map(|bar| text::clean(&bar.label)), Pen::Label);
        let values = widest(&mut bars.iter().map(|bar| unit.tell(bar.value)), Pen::Value);
        let finite = bars.iter().map(|bar| bar.value).filter(|value| value.is_finite());
        let rows = bars.len().max(1) as i32;
        Self {
            scale: Scale::over(finite, unit),
            labels: labels.clamp(40, LABELS_MAX),
            values,
            height: TOP + rows * ROW + BOTTOM,
        }
    }

    /// The last row's end.
    fn end(&self) -> i32 {
        self.height - BOTTOM
    }

    /// Where a value stands.
    fn x(&self, value: f64) -> i32 {
        let begin = MARGIN + self.labels + GAP;
        let end = WIDTH - MARGIN - self.values - GAP;
        begin + (self.scale.fraction(value) * f64::from(end - begin)).round() as i32
    }
}

/// How a text looks.
#[derive(Clone, Copy)]
enum Pen {
    Title,
    Note,
    Label,
    Value,
}

impl Pen {
    /// In pixels.
    fn size(self) -> i32 {
        match self {
            Self::Title => 20,
            Self::Note => 12,
            Self::Label | Self::Value => 13,
        }
    }

    fn color(self) -> RGBColor {
        match self {
            Self::Title | Self::Label => INK,
            Self::Note | Self::Value => QUIET,
        }
    }

    fn style(self) -> TextStyle<'static> {
        // The backend draws a text smaller than it is told by this.
        const DRAWN: f64 = 1.24;
        let font = ("sans-serif", f64::from(self.size()) * DRAWN).into_font();
        let font = match self {
            Self::Title => font.style(FontStyle::Bold),
            Self::Note | Self::Label | Self::Value => font,
        };
        let mut style = TextStyle::from(font);
        style.color = self.color().to_backend_color();
        style
    }
}

/// Writes a text at its middle height, in a column of a width.
fn write(area: &Area<'_>, told: &str, at: (i32, i32), (side, width): (HPos, i32), pen: Pen) -> Drawn {
    let fitting = text::fit(&text::clean(told), width, pen.size());
    area.draw(&Text::new(fitting, at, pen.style().pos(Pos::new(side, VPos::Center))))
}

#[cfg(test)]
mod tests;
