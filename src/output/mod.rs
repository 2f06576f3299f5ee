//! The output log: everything a session's terminal ever showed, by offset. Knows files, not
//! sessions; it is written by the keeper alone and read by the daemon.
//!
//! A directory `log/` holds, for one session:
//!
//! - **Segments** `<offset:016x>`: raw terminal output. The name is the offset of the first byte,
//!   counted over the whole life of the session, resumes included. A new segment starts at 4 MiB;
//!   above 64 MiB in all the oldest goes. Segments need not touch: what lies between the end of
//!   one and the name of the next was lost (the disk was full), and offsets count it.
//! - **`index`**: records of 24 bytes, little endian, `{u64 offset, u64 unix_ms, u16 kind, u16 a,
//!   u32 b}`, in the order they were written. Readers skip kinds they do not know; kinds are only
//!   ever appended:
//!
//! | kind | name | a | b |
//! |---|---|---|---|
//! | 1 | tick: output from `offset` on came at this time or later; at most one per 100 ms | 0 | 0 |
//! | 2 | resize: the terminal has this size from `offset` on | columns | rows |
//! | 3 | gap: from `offset` on output was lost | 0 | bytes, or all ones if more |
//! | 4 | epoch: a program started here | 0 | 1 at the first start, one more at each resume |
//! | 5 | checkpoint: `<offset:016x>.screen` repaints the screen as it was here | 0 | its bytes |
//! | 6 | tool call: the gate decided one here | 0 | its decision's number |
//! | 7 | end: the program ended here | 0 exit code, 1 signal | the code or signal |
//!
//! - **Checkpoints** `<offset:016x>.screen`: bytes that repaint the screen in an empty terminal.
//!   The daemon writes them, about one per MiB; they go with the segment they stand in.
//!
//! A crash of the keeper can leave a partial record at the end of `index`; it is ignored and cut
//! off at the next start. Nothing is synced: the log survives every crash of ours, and loses the
//! last seconds when the host loses power.

pub mod index;
pub mod reader;
pub mod writer;

use std::path::Path;
use std::path::PathBuf;

/// The segment that starts at `offset`.
pub fn segment_path(dir: &Path, offset: u64) -> PathBuf {
    dir.join(format!("{offset:016x}"))
}

/// The checkpoint at `offset`.
pub fn checkpoint_path(dir: &Path, offset: u64) -> PathBuf {
    dir.join(format!("{offset:016x}.screen"))
}

/// The offset in a segment's or checkpoint's file name.
fn offset_of(name: &str, suffix: &str) -> Option<u64> {
    let hex = name.strip_suffix(suffix)?;
    let plain = hex.len() == 16 && hex.bytes().all(|b| b.is_ascii_hexdigit());
    plain.then(|| u64::from_str_radix(hex, 16).ok())?
}

/// Offsets of the files in `dir` that end in `suffix` (empty for segments), smallest first.
pub fn offsets(dir: &Path, suffix: &str) -> std::io::Result<Vec<u64>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        if let Some(offset) = entry?.file_name().to_str().and_then(|n| offset_of(n, suffix)) {
            found.push(offset);
        }
    }
    found.sort_unstable();
    Ok(found)
}
