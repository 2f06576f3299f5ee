//! Reads the output log by offset, also while it is being written.

use crate::base::error::{Context, Result};
use crate::output;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::path::PathBuf;

/// One reader's place in a log; it keeps the current segment open.
pub struct Reader {
    dir: PathBuf,
    open: Option<(u64, File)>,
}

/// What a read found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chunk {
    /// Offset of the first byte: later than asked for where output was lost or dropped.
    pub from: u64,
    /// Bytes read; 0 at the end of the log.
    pub len: usize,
}

impl Reader {
    /// A reader of the log in `dir`.
    pub fn new(dir: &Path) -> Reader {
        Reader { dir: dir.to_path_buf(), open: None }
    }

    /// Reads bytes at `from`, or at the first offset behind it that has any.
    pub fn read(&mut self, from: u64, buffer: &mut [u8]) -> Result<Chunk> {
        if let Some((start, file)) = &self.open
            && from >= *start
        {
            let len = self.read_at(file, from - start, buffer)?;
            if len > 0 {
                return Ok(Chunk { from, len });
            }
        }
        let offsets = output::offsets(&self.dir, "")
            .internal(|| format!("cannot list {}", self.dir.display()))?;
        // From the segment that may hold `from` onwards: the first one with bytes there.
        let first = offsets.iter().rposition(|start| *start <= from).unwrap_or(0);
        for start in offsets.into_iter().skip(first) {
            // A segment dropped between listing and opening is passed over like a gap.
            let Ok(file) = File::open(output::segment_path(&self.dir, start)) else { continue };
            let at = from.max(start);
            let len = self.read_at(&file, at - start, buffer)?;
            if len > 0 {
                self.open = Some((start, file));
                return Ok(Chunk { from: at, len });
            }
        }
        Ok(Chunk { from, len: 0 })
    }

    fn read_at(&self, file: &File, at: u64, buffer: &mut [u8]) -> Result<usize> {
        file.read_at(buffer, at)
            .internal(|| format!("cannot read the log in {}", self.dir.display()))
    }

    /// Offsets of the oldest byte and behind the newest one on disk.
    pub fn bounds(&self) -> Result<(u64, u64)> {
        let cannot = || format!("cannot list {}", self.dir.display());
        let offsets = output::offsets(&self.dir, "").internal(cannot)?;
        let (Some(&first), Some(&last)) = (offsets.first(), offsets.last()) else {
            return Ok((0, 0));
        };
        let meta = std::fs::metadata(output::segment_path(&self.dir, last)).internal(cannot)?;
        Ok((first, last + meta.len()))
    }
}

/// The newest checkpoint at or below `at` that can be read: its offset and bytes.
pub fn checkpoint(dir: &Path, at: u64) -> Option<(u64, Vec<u8>)> {
    let offsets = output::offsets(dir, ".screen").ok()?;
    let mut below = offsets.into_iter().rev().filter(|o| *o <= at);
    below.find_map(|o| Some((o, std::fs::read(output::checkpoint_path(dir, o)).ok()?)))
}
