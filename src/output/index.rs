//! The index of an output log: what happened at which offset and when. The format is in
//! [`crate::output`].

use crate::base::error::{Context, Result};
use std::fs::File;
use std::io::Write;
use std::path::Path;

/// Bytes of one record.
pub const RECORD_BYTES: usize = 24;

/// What a record tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// Output from here on came at this time or later.
    Tick,
    /// The terminal's size from here on.
    Resize {
        /// Columns.
        cols: u16,
        /// Rows.
        rows: u16,
    },
    /// Output was lost from here on.
    Gap {
        /// Bytes; `u32::MAX` for that many or more.
        lost: u32,
    },
    /// A program started here.
    Epoch(u32),
    /// A checkpoint of the screen stands here.
    Checkpoint {
        /// Size of its file.
        bytes: u32,
    },
    /// The gate decided a tool call here.
    ToolCall(u32),
    /// The program ended with this code.
    EndCode(i32),
    /// The program was ended by this signal.
    EndSignal(i32),
    /// A kind of a later version.
    Unknown {
        /// Its number.
        kind: u16,
        /// Its first field.
        a: u16,
        /// Its second field.
        b: u32,
    },
}

/// One record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record {
    /// Where in the output.
    pub offset: u64,
    /// When.
    pub unix_ms: i64,
    /// What.
    pub mark: Mark,
}

impl Mark {
    /// The three numbers of a record: kind, a, b.
    pub fn fields(self) -> (u16, u16, u32) {
        match self {
            Mark::Tick => (1, 0, 0),
            Mark::Resize { cols, rows } => (2, cols, u32::from(rows)),
            Mark::Gap { lost } => (3, 0, lost),
            Mark::Epoch(number) => (4, 0, number),
            Mark::Checkpoint { bytes } => (5, 0, bytes),
            Mark::ToolCall(number) => (6, 0, number),
            Mark::EndCode(code) => (7, 0, code as u32),
            Mark::EndSignal(signal) => (7, 1, signal as u32),
            Mark::Unknown { kind, a, b } => (kind, a, b),
        }
    }

    /// The mark behind the three numbers.
    pub fn from_fields(kind: u16, a: u16, b: u32) -> Mark {
        match (kind, a) {
            (1, _) => Mark::Tick,
            (2, cols) => Mark::Resize { cols, rows: b.min(u32::from(u16::MAX)) as u16 },
            (3, _) => Mark::Gap { lost: b },
            (4, _) => Mark::Epoch(b),
            (5, _) => Mark::Checkpoint { bytes: b },
            (6, _) => Mark::ToolCall(b),
            (7, 0) => Mark::EndCode(b as i32),
            (7, 1) => Mark::EndSignal(b as i32),
            _ => Mark::Unknown { kind, a, b },
        }
    }
}

impl Record {
    /// The 24 bytes of the file.
    pub fn encode(&self) -> [u8; RECORD_BYTES] {
        let (kind, a, b) = self.mark.fields();
        let mut bytes = [0; RECORD_BYTES];
        bytes[..8].copy_from_slice(&self.offset.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.unix_ms.to_le_bytes());
        bytes[16..18].copy_from_slice(&kind.to_le_bytes());
        bytes[18..20].copy_from_slice(&a.to_le_bytes());
        bytes[20..].copy_from_slice(&b.to_le_bytes());
        bytes
    }

    /// All whole records in `bytes`.
    pub fn decode_all(bytes: &[u8]) -> Vec<Record> {
        bytes.chunks_exact(RECORD_BYTES).map(Record::decode).collect()
    }

    fn decode(bytes: &[u8]) -> Record {
        let eight = |at: usize| {
            let mut field = [0; 8];
            field.copy_from_slice(&bytes[at..at + 8]);
            u64::from_le_bytes(field)
        };
        let tail = eight(16);
        let (kind, a, b) = (tail as u16, (tail >> 16) as u16, (tail >> 32) as u32);
        Record { offset: eight(0), unix_ms: eight(8) as i64, mark: Mark::from_fields(kind, a, b) }
    }
}

/// Reads the index of the log in `dir`; a log without one has no records.
pub fn read(dir: &Path) -> Result<Vec<Record>> {
    let path = dir.join("index");
    match std::fs::read(&path) {
        Ok(bytes) => Ok(Record::decode_all(&bytes)),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(e) => Err(e).internal(|| format!("cannot read {}", path.display())),
    }
}

/// The size of the terminal at the end of `records`, where they say.
pub fn last_size(records: &[Record]) -> Option<(u16, u16)> {
    records.iter().rev().find_map(|r| match r.mark {
        Mark::Resize { cols, rows } => Some((cols, rows)),
        _ => None,
    })
}

/// How the program of the last epoch ended; `None` while it runs, or if its keeper was killed.
pub fn last_end(records: &[Record]) -> Option<Record> {
    let since = records.iter().rposition(|r| matches!(r.mark, Mark::Epoch(_))).unwrap_or(0);
    let ends = |r: &&Record| matches!(r.mark, Mark::EndCode(_) | Mark::EndSignal(_));
    records[since..].iter().find(ends).copied()
}

/// Appends one record as a whole, or nothing.
pub fn append(file: &mut File, record: &Record) -> std::io::Result<()> {
    let before = file.metadata()?.len();
    let result = file.write_all(&record.encode());
    if result.is_err() {
        // A part of a record would shift all that follow.
        file.set_len(before)?;
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mark_survives_the_file() {
        let marks = [
            Mark::Tick,
            Mark::Resize { cols: 120, rows: 30 },
            Mark::Gap { lost: u32::MAX },
            Mark::Epoch(3),
            Mark::Checkpoint { bytes: 6300 },
            Mark::ToolCall(7),
            Mark::EndCode(-1),
            Mark::EndSignal(9),
            Mark::Unknown { kind: 900, a: 1, b: 2 },
        ];
        let mut bytes = Vec::new();
        for mark in marks {
            bytes.extend(Record { offset: 1 << 40, unix_ms: 1_790_000_000_000, mark }.encode());
        }
        bytes.extend([1, 2, 3]); // a record that a crash cut short
        let back = Record::decode_all(&bytes);
        assert_eq!(back.iter().map(|r| r.mark).collect::<Vec<_>>(), marks);
        assert!(back.iter().all(|r| r.offset == 1 << 40 && r.unix_ms == 1_790_000_000_000));
    }

    #[test]
    fn an_end_counts_only_for_the_last_epoch() {
        let at = |mark| Record { offset: 0, unix_ms: 0, mark };
        let ended = [at(Mark::Epoch(1)), at(Mark::EndCode(0))];
        assert_eq!(last_end(&ended), Some(ended[1]));
        let resumed = [at(Mark::Epoch(1)), at(Mark::EndCode(0)), at(Mark::Epoch(2))];
        assert_eq!(last_end(&resumed), None);
    }
}
