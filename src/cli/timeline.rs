//! When each byte of a session's log was printed, from the index that its keeper wrote. Pure: bytes
//! in, steps out.

/// One record of the index: 24 bytes {u64 offset, u64 unix_ms, u16 kind, u16 a, u32 b}, little
/// endian.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record {
    /// Place in the log.
    pub offset: u64,
    /// When.
    pub unix_ms: u64,
    /// What; see [`steps`].
    pub kind: u16,
    /// Depends on the kind.
    pub a: u16,
    /// Depends on the kind.
    pub b: u32,
}

/// Bytes of a record.
pub const RECORD: usize = 24;

/// What happens at a moment of a recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// These bytes of the log were printed.
    Output {
        /// The first.
        from: u64,
        /// Behind the last.
        until: u64,
    },
    /// The terminal got this size: columns, rows.
    Resize(u16, u16),
    /// So many bytes are missing.
    Gap(u32),
    /// The program was started again.
    Resumed,
    /// A tool call came to the gate.
    ToolCall,
    /// The program ended with this code, or 128 plus the signal.
    End(i32),
}

/// A step and when it happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timed {
    /// Unix milliseconds; never less than the step's before.
    pub unix_ms: u64,
    /// What happened.
    pub step: Step,
}

/// The whole records in `bytes`; a cut one at the end is still being written.
pub fn parse(bytes: &[u8]) -> Vec<Record> {
    let (records, _) = bytes.as_chunks::<RECORD>();
    let number = |r: &[u8; RECORD], from: usize, bytes: usize| {
        let digits = r[from..from + bytes].iter().rev();
        digits.fold(0u64, |sum, byte| sum << 8 | u64::from(*byte))
    };
    let record = |r: &[u8; RECORD]| Record {
        offset: number(r, 0, 8),
        unix_ms: number(r, 8, 8),
        kind: number(r, 16, 2) as u16,
        a: number(r, 18, 2) as u16,
        b: number(r, 20, 4) as u32,
    };
    records.iter().map(record).collect()
}

/// The steps of a log that is kept from `start` to `end`. A record says that the log had reached
/// its offset then, so the bytes behind it came at that time or up to one tick later.
pub fn steps(records: &[Record], start: u64, end: u64) -> Vec<Timed> {
    let mut steps = Vec::new();
    let mut at = start;
    let mut now = records.first().map_or(0, |r| r.unix_ms);
    // A size from before the oldest byte that is kept is the size to begin with.
    let old_size = records.iter().rev().find(|r| r.kind == 2 && r.offset < start);
    for record in old_size.into_iter().chain(records.iter().filter(|r| r.offset >= start)) {
        let until = record.offset.min(end);
        if until > at {
            steps.push(Timed { unix_ms: now, step: Step::Output { from: at, until } });
            at = until;
        }
        // A clock that was set back must not make time run backwards.
        now = now.max(record.unix_ms);
        let step = match record.kind {
            2 => Step::Resize(record.a, record.b as u16),
            3 => Step::Gap(record.b),
            4 if record.b > 1 => Step::Resumed,
            6 => Step::ToolCall,
            7 if record.a == 0 => Step::End(record.b as i32),
            7 => Step::End(128 + record.b as i32),
            _ => continue,
        };
        steps.push(Timed { unix_ms: now, step });
    }
    if end > at {
        steps.push(Timed { unix_ms: now, step: Step::Output { from: at, until: end } });
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(offset: u64, unix_ms: u64, kind: u16, a: u16, b: u32) -> Record {
        Record { offset, unix_ms, kind, a, b }
    }

    #[test]
    fn records_are_read_as_written_and_a_cut_one_is_left_out() {
        let mut bytes = Vec::new();
        bytes.extend_from_slice(&7u64.to_le_bytes());
        bytes.extend_from_slice(&1_700_000_000_123u64.to_le_bytes());
        bytes.extend_from_slice(&2u16.to_le_bytes());
        bytes.extend_from_slice(&80u16.to_le_bytes());
        bytes.extend_from_slice(&24u32.to_le_bytes());
        bytes.extend_from_slice(&[1; 23]);
        assert_eq!(parse(&bytes), [record(7, 1_700_000_000_123, 2, 80, 24)]);
    }

    fn check(records: &[Record], start: u64, end: u64, expected: &[(u64, Step)]) {
        let got: Vec<_> = steps(records, start, end).iter().map(|t| (t.unix_ms, t.step)).collect();
        assert_eq!(got, expected);
    }

    #[test]
    fn bytes_belong_to_the_record_before_them() {
        let output = |from, until| Step::Output { from, until };
        let records = [
            record(0, 1000, 4, 0, 1),
            record(0, 1000, 2, 80, 24),
            record(0, 1001, 1, 0, 0),
            record(10, 1100, 1, 0, 0),
            record(15, 1050, 2, 100, 30),
            record(20, 1300, 7, 1, 9),
        ];
        let whole = [
            (1000, Step::Resize(80, 24)),
            (1001, output(0, 10)),
            (1100, output(10, 15)),
            (1100, Step::Resize(100, 30)),
            (1100, output(15, 20)),
            (1300, Step::End(137)),
        ];
        check(&records, 0, 20, &whole);
        // The oldest segments are gone: the size is known all the same.
        let rest = [(1050, Step::Resize(100, 30)), (1050, output(18, 20)), (1300, Step::End(137))];
        let late: Vec<_> = steps(&records, 18, 20).iter().map(|t| t.step).collect();
        assert_eq!(late, rest.map(|(_, step)| step));
        check(&[], 3, 5, &[(0, output(3, 5))]);
        check(&[record(9, 1, 1, 0, 0)], 0, 4, &[(1, output(0, 4))]);
    }
}
