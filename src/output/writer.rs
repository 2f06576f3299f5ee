//! Writes the output log. Never fails and never waits for space: what the disk refuses becomes a
//! gap, because a program must not be held up by a full disk.

use crate::base::error::{Code, Context, Result};
use crate::base::time;
use crate::limits;
use crate::output;
use crate::output::index;
use crate::output::index::Mark;
use crate::output::index::RECORD_BYTES;
use crate::output::index::Record;
use crate::sys::file;
use std::fs;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;
use std::time::Instant;

/// Index size above which records of dropped segments are taken out.
const INDEX_COMPACT: u64 = 1024 * 1024;

/// The one writer of a session's output log.
pub struct Writer {
    dir: PathBuf,
    index: File,
    segment: Option<Segment>,
    start: u64,
    end: u64,
    keep: u64,
    last_tick: Option<Instant>,
    gap: Option<Gap>,
    /// Records that the disk refused, to be written when it takes some again.
    owed: Vec<Record>,
}

struct Segment {
    start: u64,
    file: File,
}

/// Output that could not be written.
struct Gap {
    from: u64,
    retry: Instant,
}

impl Writer {
    /// Opens the log in `dir`, creating it or going on behind what is there. `keep` bytes of
    /// output are kept.
    pub fn open(dir: &Path, keep: u64) -> Result<Writer> {
        file::private_dir(dir)?;
        let cannot = || format!("cannot open the log in {}", dir.display());
        let index = file::open_append(&dir.join("index"))?;
        let size = index.metadata().internal(cannot)?.len();
        index.set_len(size - size % RECORD_BYTES as u64).internal(cannot)?;
        let offsets = output::offsets(dir, "").internal(cannot)?;
        let segment = match offsets.last() {
            None => None,
            Some(&start) => {
                let file = file::open_append(&output::segment_path(dir, start))?;
                Some(Segment { start, file })
            }
        };
        let end = match &segment {
            None => 0,
            Some(s) => s.start + s.file.metadata().internal(cannot)?.len(),
        };
        let start = offsets.first().copied().unwrap_or(0);
        let dir = dir.to_path_buf();
        let (last_tick, gap, owed) = (None, None, Vec::new());
        Ok(Writer { dir, index, segment, start, end, keep, last_tick, gap, owed })
    }

    /// Offset of the oldest byte kept.
    pub fn start(&self) -> u64 {
        self.start
    }

    /// Offset behind the newest byte, lost ones included.
    pub fn end(&self) -> u64 {
        self.end
    }

    /// Whether the disk refuses output at the moment.
    pub fn is_degraded(&self) -> bool {
        self.gap.is_some()
    }

    /// Appends output that has just arrived.
    pub fn append(&mut self, bytes: &[u8]) {
        if self.gap.is_some() && !self.end_gap() {
            self.end += bytes.len() as u64;
            return;
        }
        self.tick();
        let mut rest = bytes;
        while !rest.is_empty() {
            match self.write_some(rest) {
                Ok(count) => {
                    self.end += count as u64;
                    rest = &rest[count..];
                }
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
                Err(_) => {
                    let retry = time::now() + limits::DISK_RETRY;
                    self.gap = Some(Gap { from: self.end, retry });
                    self.segment = None;
                    self.end += rest.len() as u64;
                    return;
                }
            }
        }
    }

    /// Writes a record at `offset` (the end, if `None`).
    pub fn mark(&mut self, offset: Option<u64>, mark: Mark) {
        let offset = offset.unwrap_or(self.end);
        self.owed.push(Record { offset, unix_ms: time::unix_ms(), mark });
        self.pay();
        // Ticks aside, records are rare; a disk that stays full may cost the oldest of them.
        if self.owed.len() > 1024 {
            self.owed.remove(0);
        }
    }

    fn pay(&mut self) {
        while let Some(record) = self.owed.first() {
            if index::append(&mut self.index, record).is_err() {
                return;
            }
            self.owed.remove(0);
        }
    }

    fn tick(&mut self) {
        let now = time::now();
        if self.last_tick.is_none_or(|last| now.duration_since(last) >= limits::TICK) {
            self.last_tick = Some(now);
            let record = Record { offset: self.end, unix_ms: time::unix_ms(), mark: Mark::Tick };
            // A lost tick costs a tenth of a second of timing, not output.
            let _ = index::append(&mut self.index, &record);
        }
    }

    /// Tries the disk again, at most once per [`limits::DISK_RETRY`]. True when output goes on.
    fn end_gap(&mut self) -> bool {
        let Some(gap) = &mut self.gap else { return true };
        let now = time::now();
        if now < gap.retry {
            return false;
        }
        gap.retry = now + limits::DISK_RETRY;
        let lost = u32::try_from(self.end - gap.from).unwrap_or(u32::MAX);
        let record =
            Record { offset: gap.from, unix_ms: time::unix_ms(), mark: Mark::Gap { lost } };
        if self.open_segment().is_err() {
            return false;
        }
        if index::append(&mut self.index, &record).is_err() {
            self.segment = None;
            return false;
        }
        self.gap = None;
        self.pay();
        true
    }

    fn write_some(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let full = |s: &Segment, end: u64| end - s.start >= limits::SEGMENT_BYTES;
        if self.segment.as_ref().is_none_or(|s| full(s, self.end)) {
            self.open_segment()?;
            self.drop_oldest();
        }
        let Some(segment) = &mut self.segment else { return Ok(0) };
        let room = limits::SEGMENT_BYTES - (self.end - segment.start);
        let count = bytes.len().min(room as usize);
        match segment.file.write(&bytes[..count])? {
            0 => Err(std::io::ErrorKind::WriteZero.into()),
            written => Ok(written),
        }
    }

    fn open_segment(&mut self) -> std::io::Result<()> {
        use std::os::unix::fs::OpenOptionsExt;
        let path = output::segment_path(&self.dir, self.end);
        let file = File::options().append(true).create(true).mode(0o600).open(path)?;
        self.segment = Some(Segment { start: self.end, file });
        Ok(())
    }

    /// Removes whole segments, oldest first, until what is kept fits.
    fn drop_oldest(&mut self) {
        let Ok(offsets) = output::offsets(&self.dir, "") else { return };
        for pair in offsets.windows(2) {
            if self.end - pair[1] < self.keep.saturating_sub(limits::SEGMENT_BYTES) {
                self.start = pair[0];
                break;
            }
            let _ = fs::remove_file(output::segment_path(&self.dir, pair[0]));
            self.start = pair[1];
        }
        for offset in output::offsets(&self.dir, ".screen").unwrap_or_default() {
            if offset < self.start {
                let _ = fs::remove_file(output::checkpoint_path(&self.dir, offset));
            }
        }
        if self.index.metadata().is_ok_and(|m| m.len() > INDEX_COMPACT) {
            let _ = self.compact();
        }
    }

    /// Takes records of dropped output out of the index, keeping the size and epoch in force.
    fn compact(&mut self) -> Result<()> {
        let records = index::read(&self.dir)?;
        let last = |wanted: fn(&Mark) -> bool| {
            let old = |r: &&Record| r.offset < self.start && wanted(&r.mark);
            records.iter().rfind(old).copied()
        };
        let epoch = last(|m| matches!(m, Mark::Epoch(_)));
        let size = last(|m| matches!(m, Mark::Resize { .. }));
        let kept = records.iter().filter(|r| r.offset >= self.start).copied();
        let bytes: Vec<u8> =
            epoch.into_iter().chain(size).chain(kept).flat_map(|r| r.encode()).collect();
        let path = self.dir.join("index");
        file::replace(&path, &bytes, 0o600, false)?;
        self.index = file::open_append(&path)?;
        Ok(())
    }
}

/// Removes the whole log.
pub fn remove(dir: &Path) -> Result<()> {
    match fs::remove_dir_all(dir) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
            Err(e).code(Code::Internal, || format!("cannot remove {}", dir.display()))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::reader::Reader;

    fn space(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("cp-log-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        path
    }

    fn numbered(from: u64, count: u64) -> Vec<u8> {
        (from..from + count).flat_map(|n| format!("{n:015}\n").into_bytes()).collect()
    }

    #[test]
    fn a_reopened_log_goes_on_where_it_ended() {
        let dir = space("reopen");
        let mut writer = Writer::open(&dir, limits::LOG_BYTES).unwrap();
        writer.append(b"one ");
        writer.mark(None, Mark::EndCode(0));
        drop(writer);
        // What a crash may leave: a part of a record.
        File::options().append(true).open(dir.join("index")).unwrap().write_all(b"xyz").unwrap();
        let mut writer = Writer::open(&dir, limits::LOG_BYTES).unwrap();
        assert_eq!(writer.end(), 4);
        writer.mark(None, Mark::Epoch(2));
        writer.append(b"two");
        let mut buffer = [0; 100];
        let chunk = Reader::new(&dir).read(0, &mut buffer).unwrap();
        assert_eq!(&buffer[..chunk.len], b"one two");
        let marks: Vec<Mark> = index::read(&dir).unwrap().iter().map(|r| r.mark).collect();
        let expected = [Mark::Tick, Mark::EndCode(0), Mark::Epoch(2), Mark::Tick];
        assert_eq!(marks, expected);
        fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn the_oldest_segments_go_and_the_rest_is_byte_identical() {
        let dir = space("drop");
        let keep = 3 * limits::SEGMENT_BYTES;
        let mut writer = Writer::open(&dir, keep).unwrap();
        writer.mark(None, Mark::Resize { cols: 80, rows: 24 });
        let all = numbered(0, 6 * limits::SEGMENT_BYTES / 16);
        all.chunks(50_000).for_each(|chunk| writer.append(chunk));
        assert_eq!(writer.end(), all.len() as u64);
        assert!(writer.end() - writer.start() <= keep);
        assert!(writer.end() - writer.start() > keep - 2 * limits::SEGMENT_BYTES);
        let mut back = Vec::new();
        let mut reader = Reader::new(&dir);
        let mut buffer = vec![0; 30_000];
        let mut at = 0;
        loop {
            let chunk = reader.read(at, &mut buffer).unwrap();
            if chunk.len == 0 {
                break;
            }
            back.extend_from_slice(&buffer[..chunk.len]);
            at = chunk.from + chunk.len as u64;
        }
        assert_eq!(back, &all[writer.start() as usize..]);
        fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn a_full_disk_becomes_a_gap_with_its_size_and_output_goes_on_behind_it() {
        let dir = space("full");
        let mut writer = Writer::open(&dir, limits::LOG_BYTES).unwrap();
        writer.append(b"before");
        // /dev/full answers ENOSPC to every write, as a full disk does.
        let full = File::options().append(true).open("/dev/full").unwrap();
        writer.segment = Some(Segment { start: 0, file: full });
        writer.append(b"lost!");
        assert!(writer.is_degraded());
        assert_eq!(writer.end(), 11);
        writer.append(b"lost too");
        writer.gap.as_mut().unwrap().retry = time::now();
        writer.append(b"after");
        assert!(!writer.is_degraded());
        let mut reader = Reader::new(&dir);
        let mut buffer = [0; 100];
        let chunk = reader.read(0, &mut buffer).unwrap();
        assert_eq!(&buffer[..chunk.len], b"before");
        let chunk = reader.read(6, &mut buffer).unwrap();
        assert_eq!((chunk.from, &buffer[..chunk.len]), (19, &b"after"[..]));
        let gaps: Vec<Record> = index::read(&dir).unwrap();
        let gap = gaps.iter().find(|r| matches!(r.mark, Mark::Gap { .. })).unwrap();
        assert_eq!((gap.offset, gap.mark), (6, Mark::Gap { lost: 13 }));
        fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn compaction_keeps_the_size_and_epoch_in_force() {
        let dir = space("compact");
        let mut writer = Writer::open(&dir, limits::LOG_BYTES).unwrap();
        writer.mark(Some(0), Mark::Epoch(1));
        writer.mark(Some(0), Mark::Resize { cols: 90, rows: 20 });
        writer.mark(Some(5), Mark::ToolCall(1));
        writer.mark(Some(50), Mark::ToolCall(2));
        writer.start = 50;
        writer.compact().unwrap();
        writer.mark(Some(60), Mark::ToolCall(3));
        let marks: Vec<Mark> = index::read(&dir).unwrap().iter().map(|r| r.mark).collect();
        let size = Mark::Resize { cols: 90, rows: 20 };
        assert_eq!(marks, [Mark::Epoch(1), size, Mark::ToolCall(2), Mark::ToolCall(3)]);
        fs::remove_dir_all(dir).unwrap();
    }
}
