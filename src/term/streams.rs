//! Test streams: seeded random terminal output, and a screen's whole state as comparable text.

use crate::base::seeded::Random;
use crate::term::modes::draw;
use crate::term::paint::Hidden;
use crate::term::paint::Style;
use crate::term::screen::Screen;
use std::fmt::Write;

/// Questions to a terminal; none may reach a viewer.
pub const QUERIES: [&str; 24] = [
    "\x1b[c",
    "\x1b[0c",
    "\x1b[>c",
    "\x1b[=c",
    "\x1b[>0q",
    "\x1b[5n",
    "\x1b[6n",
    "\x1b[?6n",
    "\x1b[?996n",
    "\x1b[?2026$p",
    "\x1b[20$p",
    "\x1b[?u",
    "\x1b[18t",
    "\x1b[21t",
    "\x1b[x",
    "\x1bZ",
    "\x1b]10;?\x07",
    "\x1b]11;?\x1b\\",
    "\x1b]4;7;?\x1b\\",
    "\x1b]52;c;?\x07",
    "\x1b]7501;?\x1b\\",
    "\x1bP$qm\x1b\\",
    "\x1bP+q544e\x1b\\",
    "\u{9b}6n",
];

/// What a careless filter would take for a question.
pub const LOOKALIKES: [&str; 23] = [
    "\x1b[?17;0;64c",
    "\x1b[>4;2m",
    "\x1b[>4n",
    "\x1b[>1u",
    "\x1b[u",
    "\x1b[8;24;80t",
    "\x1b[22;0t",
    "\x1b[ q",
    "\x1b[!p",
    "\x1b[62\"p",
    "\x1b]0;who?\x07",
    "\x1b]2;?\x07",
    "\x1b]8;;http://x/?\x1b\\",
    "\x1b]10;#ffffff\x07",
    "\x1b]4;1;rgb:00/00/00\x1b\\",
    "\x1b]52;c;aGVsbG8=\x07",
    "\x1b]7501;state=idle:app=claude\x1b\\",
    "\x1b]P0000000",
    "\x1bPq#0;2;0;0;0~-\x1b\\",
    "\x1bP1$r0m\x1b\\",
    "\x1b(Zc",
    "\x1b\x1b\x18",
    "\u{b0}C Ä日😀",
];

const TEXT: [&str; 16] = [
    "hello",
    " ",
    "x",
    "日本語",
    "e\u{301}",
    "😀",
    "☁\u{fe0f}",
    "👩\u{200d}👩\u{200d}👧",
    "🇩🇪",
    "\u{301}",
    "─│┌",
    "a long line of words that wraps around",
    "\t",
    "ÄÖÜ°«»",
    "ｆｕｌｌ",
    "q",
];

const SEQUENCES: [&str; 66] = [
    "\r\n",
    "\r\n",
    "\n",
    "\r",
    "\x08",
    "\t",
    "\x1b[m",
    "\x1b[1;31m",
    "\x1b[2m",
    "\x1b[3;4m",
    "\x1b[7m",
    "\x1b[27;22m",
    "\x1b[38;2;1;200;30m",
    "\x1b[48;5;99m",
    "\x1b[97;104m",
    "\x1b[4:3m",
    "\x1b[9m",
    "\x1b[H",
    "\x1b[J",
    "\x1b[1J",
    "\x1b[2J",
    "\x1b[3J",
    "\x1b[K",
    "\x1b[1K",
    "\x1b[2K",
    "\x1b7",
    "\x1b8",
    "\x1b[s",
    "\x1b[u",
    "\x1bM",
    "\x1bD",
    "\x1bE",
    "\x1b[r",
    "\x1b[?6h",
    "\x1b[?6l",
    "\x1b[?1049h",
    "\x1b[?1049l",
    "\x1b[?25l",
    "\x1b[?25h",
    "\x1b[?1h",
    "\x1b=",
    "\x1b>",
    "\x1b[?2004h",
    "\x1b[?1000;1002;1003;1006h",
    "\x1b[?1003l",
    "\x1b[?1004h",
    "\x1b[?2026h",
    "\x1b[?2026l",
    "\x1b[?2031h",
    "\x1b[>5u",
    "\x1b[>7u",
    "\x1b[<u",
    "\x1b[=3;2u",
    "\x1b[>4;2m",
    "\x1b[>4m",
    "\x1b[4h",
    "\x1b[4l",
    "\x1b[?7l",
    "\x1b(0",
    "\x1b(B",
    "\x1b)0",
    "\x0e",
    "\x0f",
    "\x1b]0;✳ Claude; Code\x07",
    "\x1b]7501;state=blocked:app=claude:kind=permission\x1b\\",
    "\x1b[!p",
];

/// Terminal output of about `tokens` pieces for a screen of this size.
pub fn stream(random: &mut Random, tokens: usize, cols: u16, rows: u16) -> Vec<u8> {
    let mut out = String::new();
    for _ in 0..tokens {
        let (row, col) = (random.below(rows.into()) + 1, random.below(cols.into()) + 1);
        let count = random.below(4) + 1;
        let _ = match random.below(16) {
            0..=5 => write!(out, "{}", random.pick(&TEXT)),
            6..=10 => write!(out, "{}", random.pick(&SEQUENCES)),
            11 | 12 => write!(out, "\x1b[{row};{col}H"),
            13 => {
                let last = random.pick(&["@", "A", "B", "C", "D", "L", "M", "P", "S", "T", "X"]);
                write!(out, "\x1b[{count}{last}")
            }
            14 if random.below(4) == 0 => write!(out, "\x1b[{row};{}r", row + count),
            // No REP: behind a cut it would repeat what a terminal has long forgotten.
            14 => write!(out, "{}", random.pick(&["\x1b[2Z", "\x1b[3I", "\x1b[3a", "\x1b[4d"])),
            _ if random.below(40) == 0 => write!(out, "\x1bc"),
            _ if random.below(8) == 0 => {
                // No `?47h`: it would show again what a screen out of sight has kept.
                write!(out, "{}", random.pick(&["\x1b[?47l", "\x1b[?1047l"]))
            }
            _ => write!(out, "{}", random.pick(&QUERIES)),
        };
    }
    out.into_bytes()
}

/// Everything that a snapshot promises to keep, readable in a failed comparison.
pub fn describe(screen: &Screen) -> String {
    let mut out = String::new();
    let (vt, modes) = (screen.vt(), screen.modes());
    grid(vt, &mut out);
    if vt.alternate_screen() {
        let mut main = vt.clone();
        draw(&mut main, b"\x1b[?47l");
        out.push_str("below:\n");
        grid(&main, &mut out);
    }
    let private: Vec<_> = (1..2100).filter_map(|m| Some((m, modes.private(m)?))).collect();
    let _ = writeln!(
        out,
        "{:?} {private:?} {} {} {:?} {:?} {:?}\n{:?} {:?} {:?}",
        vt.input_mode_formatted(),
        vt.hide_cursor(),
        vt.alternate_screen(),
        (modes.insert, modes.modify_other_keys, modes.shifted),
        modes.kitty[0],
        modes.charsets,
        screen.title(),
        screen.agent_state(),
        screen.partial(),
    );
    if vt.alternate_screen() {
        let _ = writeln!(out, "{:?}", modes.kitty[1]);
    }
    out
}

fn grid(vt: &vt100::Screen, out: &mut String) {
    let (rows, cols) = (vt.size().0.get(), vt.size().1.get());
    for row in 0..rows {
        let mut style = None;
        for cell in (0..cols).filter_map(|col| vt.cell(row, col)) {
            if style != Some(Style::of(cell)) && !cell.is_wide_continuation() {
                style = Some(Style::of(cell));
                Style::of(cell).write(out);
            }
            match cell.contents() {
                "" if cell.is_wide_continuation() => {}
                // An erased cell and a blank look alike.
                "" => out.push(' '),
                text => out.push_str(text),
            }
        }
        out.push_str(if vt.row_wrapped(row) { "\\\n" } else { "|\n" });
    }
    let _ = writeln!(out, "{:?} {:?} {:?}", vt.cursor_position(), Style::pen(vt), Hidden::of(vt));
}
