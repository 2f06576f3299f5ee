//! Draws one grid of a `vt100` screen as bytes, and finds out what `vt100` keeps to itself.

use crate::term::modes::draw;
use std::fmt::Write;

/// Colours and attributes of a cell or of the pen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Style {
    fg: vt100::Color,
    bg: vt100::Color,
    /// Bold, dim, italic, underline, inverse.
    flags: [bool; 5],
}

/// What a reset pen writes.
const PLAIN: Style =
    Style { fg: vt100::Color::Default, bg: vt100::Color::Default, flags: [false; 5] };

impl Style {
    /// The style of a cell.
    pub fn of(cell: &vt100::Cell) -> Style {
        let (bold, dim) = (cell.bold(), cell.dim());
        let flags = [bold, dim, cell.italic(), cell.underline(), cell.inverse()];
        Style { fg: cell.fgcolor(), bg: cell.bgcolor(), flags }
    }

    /// The style that new text gets.
    pub fn pen(screen: &vt100::Screen) -> Style {
        let (bold, dim) = (screen.bold(), screen.dim());
        let flags = [bold, dim, screen.italic(), screen.underline(), screen.inverse()];
        Style { fg: screen.fgcolor(), bg: screen.bgcolor(), flags }
    }

    /// Sets exactly this style, whatever was set before.
    pub fn write(self, out: &mut String) {
        out.push_str("\x1b[0");
        for (flag, code) in self.flags.iter().zip([1, 2, 3, 4, 7]) {
            if *flag {
                let _ = write!(out, ";{code}");
            }
        }
        for (colour, base) in [(self.fg, 30), (self.bg, 40)] {
            let _ = match colour {
                vt100::Color::Default => Ok(()),
                vt100::Color::Idx(i @ 0..=7) => write!(out, ";{}", base + u16::from(i)),
                vt100::Color::Idx(i @ 8..=15) => write!(out, ";{}", base + 52 + u16::from(i)),
                vt100::Color::Idx(i) => write!(out, ";{};5;{i}", base + 8),
                vt100::Color::Rgb(r, g, b) => write!(out, ";{};2;{r};{g};{b}", base + 8),
            };
        }
        out.push('m');
    }
}

/// A place on the grid, from 0. A column equal to the width: the next character wraps.
pub type Place = (u16, u16);

/// What a grid has beside its cells.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Hidden {
    /// First and last row that scroll, if not all do.
    pub region: Option<(u16, u16)>,
    /// Rows count from the region's top.
    pub origin: bool,
    /// Where DECRC goes, with which pen and origin mode.
    pub saved: (Place, Style, bool),
}

impl Hidden {
    /// Asks the grid in view. `vt100` tells none of this, but a clone shows it in what it does.
    pub fn of(screen: &vt100::Screen) -> Hidden {
        let mut probe = screen.clone();
        draw(&mut probe, b"\x1b[?6h");
        let top = probe.cursor_position().0;
        draw(&mut probe, b"\x1b[65535H");
        let bottom = probe.cursor_position().0;
        draw(&mut probe, b"\x1b8");
        let (place, pen) = (probe.cursor_position(), Style::pen(&probe));
        let full = (0, screen.size().0.get() - 1);
        let region = ((top, bottom) != full).then_some((top, bottom));

        let mut probe = screen.clone();
        let (rows, cols) = probe.size();
        probe.set_size(rows.max(std::num::NonZeroU16::new(4).unwrap_or(rows)), cols);
        let mut homes_below_the_top = |first: &[u8]| {
            draw(&mut probe, first);
            draw(&mut probe, b"\x1b[H");
            probe.cursor_position().0 == 1
        };
        let origin = homes_below_the_top(b"\x1b[2;4r");
        let saved_origin = homes_below_the_top(b"\x1b8");
        Hidden { region, origin, saved: (place, pen, saved_origin) }
    }
}

/// Writes the cells of the grid in view onto a cleared screen: plain moves, no scroll region, no
/// origin mode. Lines that wrapped are written so that they wrap again.
pub fn cells(screen: &vt100::Screen, out: &mut String) {
    let mut pen = None;
    for row in 0..screen.size().0.get() {
        let wraps_in = row > 0 && screen.row_wrapped(row - 1);
        if wraps_in && screen.cell(row, 0).is_some_and(|cell| !cell.has_contents()) {
            set_pen(&mut pen, PLAIN, out);
            out.push_str(" \x08\x1b[X");
        }
        // The cursor hangs behind the last column of the row above.
        line(screen, row, wraps_in.then_some(0), &mut pen, out);
    }
}

/// Writes the cells of one row over whatever is there.
pub fn row(screen: &vt100::Screen, row: u16, out: &mut String) {
    goto(out, (row, 0));
    PLAIN.write(out);
    out.push_str("\x1b[2K");
    line(screen, row, Some(0), &mut Some(PLAIN), out);
}

/// Writes the cells of a cleared row. `at`: where the cursor is in it.
fn line(
    screen: &vt100::Screen,
    row: u16,
    mut at: Option<u16>,
    pen: &mut Option<Style>,
    out: &mut String,
) {
    let (mut col, cols) = (0, screen.size().1.get());
    while let Some(cell) = screen.cell(row, col) {
        let style = Style::of(cell);
        if cell.has_contents() {
            if at != Some(col) {
                goto(out, (row, col));
            }
            set_pen(pen, style, out);
            out.push_str(cell.contents());
            col += if cell.is_wide() { 2 } else { 1 };
            at = (!disputed(cell.contents()) || col >= cols).then_some(col);
            continue;
        }
        let from = col;
        let alike = |cell: &vt100::Cell| !cell.has_contents() && Style::of(cell) == style;
        while screen.cell(row, col).is_some_and(alike) {
            col += 1;
        }
        if style != PLAIN {
            if at != Some(from) {
                goto(out, (row, from));
            }
            set_pen(pen, style, out);
            let _ = write!(out, "\x1b[{}X", col - from);
            at = Some(from);
        }
    }
}

fn set_pen(pen: &mut Option<Style>, style: Style, out: &mut String) {
    if *pen != Some(style) {
        style.write(out);
        *pen = Some(style);
    }
}

/// Terminals disagree about the width of emoji and clusters: what follows one is placed anew, so
/// that the rest of the row stays where it belongs. A joiner wants its neighbour right behind it.
fn disputed(text: &str) -> bool {
    let mut chars = text.chars();
    let first = chars.next().unwrap_or(' ');
    (chars.next().is_some() || first >= '\u{1f000}') && !text.ends_with('\u{200d}')
}

/// Moves the cursor within the columns.
pub fn goto(out: &mut String, (row, col): Place) {
    let _ = write!(out, "\x1b[{};{}H", row + 1, col + 1);
}

/// Puts the cursor where it was, by writing the character before it once more if there is one:
/// behind the last column there is no other way to get, and a repetition (REP) that comes next
/// needs its character. With `origin`, rows are shown relative to that scroll region. The pen is
/// lost.
pub fn cursor(
    screen: &vt100::Screen,
    (row, col): Place,
    origin: Option<(u16, u16)>,
    out: &mut String,
) {
    let cols = screen.size().1.get();
    let narrow = col.min(cols).saturating_sub(1);
    let wide = screen.cell(row, narrow).is_some_and(vt100::Cell::is_wide_continuation);
    let before = if wide { narrow.saturating_sub(1) } else { narrow };
    let cell = screen.cell(row, before).filter(|cell| cell.is_wide() == wide && col > 0);
    let text = cell.map_or("", vt100::Cell::contents);
    let again = col >= cols || (!text.is_empty() && !disputed(text));
    let place = (row, if again { before } else { col });
    match origin {
        Some((top, bottom)) if row < top || row > bottom => {
            // Not reached by CUP; a terminal that limits VPA as well shows it at the border.
            let _ = write!(out, "\x1b[1;{}H\x1b[{}d", place.1 + 1, row + 1);
        }
        Some((top, _)) => goto(out, (row - top, place.1)),
        None => goto(out, place),
    }
    if let (true, Some(cell)) = (again, cell) {
        Style::of(cell).write(out);
        out.push_str(if text.is_empty() { " " } else { text });
    }
}
