//! What goes to standard output: tables, colours where a person looks, and quiet ends of pipes.

use crate::base::error::{Context, Error, Result};
use crate::cli::text;
use crate::model::session::State;
use serde_json::Value;
use std::io::Write;

/// Standard output, and what it is good for.
#[derive(Debug, Clone, Copy)]
pub struct Out {
    /// The user wants the API's own body.
    pub json: bool,
    /// Colours are welcome.
    pub color: bool,
    /// A person looks at it.
    pub terminal: bool,
}

impl Out {
    /// Looks at standard output, `NO_COLOR` (<https://no-color.org>) and `TERM`.
    pub fn new(json: bool, no_color: bool) -> Out {
        let terminal = crate::sys::tty::stdout_is_terminal();
        let set = |name: &str| std::env::var_os(name).is_some_and(|v| !v.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|t| t == "dumb");
        Out { json, color: terminal && !no_color && !set("NO_COLOR") && !dumb, terminal }
    }

    /// Writes a line.
    pub fn line(&self, line: &str) -> Result<()> {
        self.bytes(format!("{line}\n").as_bytes())
    }

    /// Writes bytes as they are.
    pub fn bytes(&self, bytes: &[u8]) -> Result<()> {
        let mut out = std::io::stdout().lock();
        let written = out.write_all(bytes).and_then(|()| out.flush());
        written.internal(|| "cannot write to standard output".into())
    }

    /// Writes a body of the API on a line of its own.
    pub fn body(&self, body: &Value) -> Result<()> {
        self.line(&body.to_string())
    }

    /// Writes what came of a command: the API's answer where JSON is wanted, else `line`. All went
    /// well, so the exit code is 0.
    pub fn told(&self, answer: &Value, line: &str) -> Result<i32> {
        match self.json {
            true => self.body(answer)?,
            false => self.line(line)?,
        }
        Ok(0)
    }

    /// `text` in a colour, where colours are welcome.
    pub fn paint(&self, color: Color, text: &str) -> String {
        if !self.color {
            return text.to_string();
        }
        format!("\x1b[{}m{text}\x1b[0m", color as u8)
    }

    /// A session's state in its colour.
    pub fn state(&self, word: &str) -> String {
        self.paint(state_color(word), &text::clean(word))
    }

    /// Columns to fill; without a terminal there is no limit.
    pub fn columns(&self) -> usize {
        let size = self.terminal.then(|| crate::sys::tty::size(&std::io::stdout())).flatten();
        size.map_or(usize::MAX, |s| usize::from(s.cols))
    }

    /// Writes rows under headings, columns aligned. The column `elastic` gives way, from its left,
    /// where the terminal is too narrow.
    pub fn table(&self, headings: &[&str], rows: &[Vec<Cell>], elastic: usize) -> Result<()> {
        let rows: Vec<&[Cell]> = rows.iter().map(Vec::as_slice).collect();
        self.bytes(layout(self, headings, &rows, elastic, self.columns()).as_bytes())
    }
}

/// SGR numbers of the colours in use.
#[derive(Debug, Clone, Copy)]
pub enum Color {
    /// Headings.
    Bold = 1,
    /// What matters less.
    Dim = 2,
    /// Trouble.
    Red = 31,
    /// All is well.
    Green = 32,
    /// Somebody is waited for.
    Yellow = 33,
}

/// One cell of a table.
pub struct Cell {
    text: String,
    color: Option<Color>,
}

/// A plain cell; control characters are made visible.
pub fn cell(content: impl AsRef<str>) -> Cell {
    Cell { text: text::clean(content.as_ref()), color: None }
}

/// A session's state.
pub fn state_cell(word: &str) -> Cell {
    Cell { text: text::clean(word), color: Some(state_color(word)) }
}

/// The state of a session with what a person must know beside it, such as an alarm.
pub fn warned_cell(word: &str, notes: &[&str]) -> Cell {
    Cell { text: format!("{} {}", text::clean(word), notes.join(" ")), color: Some(Color::Red) }
}

fn state_color(word: &str) -> Color {
    match State::from_word(word) {
        Some(State::Starting | State::Running) => Color::Green,
        Some(State::NeedsPermission | State::NeedsInput) => Color::Yellow,
        Some(State::Crashed) => Color::Red,
        Some(State::Stopped) | None => Color::Dim,
    }
}

fn layout(
    out: &Out,
    headings: &[&str],
    rows: &[&[Cell]],
    elastic: usize,
    columns: usize,
) -> String {
    let mut widths: Vec<usize> = headings.iter().map(|h| text::width(h)).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row.iter()) {
            *width = (*width).max(text::width(&cell.text));
        }
    }
    let total = widths.iter().sum::<usize>() + 2 * widths.len().saturating_sub(1);
    if let Some(width) = widths.get_mut(elastic) {
        // Below eight columns a path says nothing; then the line wraps instead.
        *width = width.saturating_sub(total.saturating_sub(columns)).max(8);
    }
    let mut text = String::new();
    let heading = headings.iter().map(|h| (out.paint(Color::Bold, h), text::width(h)));
    push_row(&mut text, &widths, heading);
    for row in rows {
        let cells = row.iter().zip(&widths).enumerate().map(|(i, (cell, width))| {
            let cut = match i == elastic {
                true => text::keep_end(&cell.text, *width),
                false => cell.text.clone(),
            };
            let used = text::width(&cut);
            (cell.color.map_or(cut.clone(), |color| out.paint(color, &cut)), used)
        });
        push_row(&mut text, &widths, cells);
    }
    text
}

fn push_row(text: &mut String, widths: &[usize], cells: impl Iterator<Item = (String, usize)>) {
    let mut gap = 0;
    for ((cell, used), width) in cells.zip(widths) {
        text.push_str(&" ".repeat(gap));
        text.push_str(&cell);
        gap = width.saturating_sub(used) + 2;
    }
    text.truncate(text.trim_end_matches(' ').len());
    text.push('\n');
}

/// Whether the error means that nobody reads our output any more (`codepiper tail x | head`).
pub fn is_closed_pipe(error: &Error) -> bool {
    let source = error.source.as_ref().and_then(|s| s.downcast_ref::<std::io::Error>());
    source.is_some_and(|e| e.kind() == std::io::ErrorKind::BrokenPipe)
        && error.message.contains("standard output")
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Out = Out { json: false, color: false, terminal: false };

    fn check(columns: usize, expected: &str) {
        let rows = [
            vec![cell("3f2a"), state_cell("RUNNING"), cell("/home/ann/project"), cell("1m")],
            vec![cell("終端"), state_cell("CRASHED"), cell("/x\x1b[2J"), cell("")],
        ];
        let rows: Vec<&[Cell]> = rows.iter().map(Vec::as_slice).collect();
        let text = layout(&PLAIN, &["ID", "STATUS", "DIRECTORY", "AGE"], &rows, 2, columns);
        let text: Vec<&str> = text.lines().map(str::trim_end).collect();
        assert_eq!(text.join("\n"), expected);
    }

    #[test]
    fn columns_are_aligned_and_the_path_gives_way_from_its_left() {
        check(
            usize::MAX,
            "ID    STATUS   DIRECTORY          AGE\n\
             3f2a  RUNNING  /home/ann/project  1m\n\
             終端  CRASHED  /x\\x1b[2J",
        );
        check(
            30,
            "ID    STATUS   DIRECTORY   AGE\n\
             3f2a  RUNNING  …n/project  1m\n\
             終端  CRASHED  /x\\x1b[2J",
        );
    }

    #[test]
    fn colours_only_where_they_are_welcome() {
        assert_eq!(PLAIN.state("RUNNING"), "RUNNING");
        let colored = Out { color: true, ..PLAIN };
        assert_eq!(colored.state("CRASHED"), "\x1b[31mCRASHED\x1b[0m");
    }

    #[test]
    fn only_a_closed_standard_output_ends_quietly() {
        let broken = || Err::<(), _>(std::io::Error::from(std::io::ErrorKind::BrokenPipe));
        let ours = broken().internal(|| "cannot write to standard output".into()).unwrap_err();
        let other = broken().internal(|| "cannot write to the daemon".into()).unwrap_err();
        assert!(is_closed_pipe(&ours) && !is_closed_pipe(&other));
    }
}
