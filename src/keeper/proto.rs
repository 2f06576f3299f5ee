//! The wire between keeper and daemon. It outlives upgrades of the daemon: numbers are only ever
//! appended, fields are only ever added at a frame's end, unknown frames are skipped.
//!
//! A frame is `{u32 length of body, u16 type, body}`, little endian. The daemon connects; the
//! keeper looks at the peer and either closes or sends HELLO. Then both may send at any time.
//!
//! | type | from | name | body |
//! |---|---|---|---|
//! | 1 | keeper | HELLO | see [`Hello`] |
//! | 2 | keeper | OUTPUT | u64 offset, bytes |
//! | 3 | keeper | BEHIND | u64 end: relaying has stopped; read the log, then FOLLOW |
//! | 4 | keeper | INPUT_DONE | u64 bytes of input taken by the terminal since HELLO |
//! | 5 | keeper | EXITED | see [`Exited`]; repeated in each HELLO until EXIT_STORED |
//! | 6 | keeper | LOG | u8 1 while the disk refuses output, else 0 |
//! | 7 | keeper | REFUSED | u32 pid, blob name of a peer that was turned away |
//! | 8 | keeper | LOST | blob path: the cage has lost this mask, all of it was stopped |
//! | 101 | daemon | ATTACH | u16 protocol, blob build |
//! | 102 | daemon | FOLLOW | u64 offset: relay output from here on |
//! | 103 | daemon | INPUT | bytes for the terminal |
//! | 104 | daemon | RESIZE | u16 columns, u16 rows |
//! | 105 | daemon | SIGNAL | i32 signal, u8 1 for all descendants, 0 for program and foreground |
//! | 106 | daemon | MARK | u64 offset, u16 kind, u16 a, u32 b: a record for the index |
//! | 107 | daemon | EXIT_STORED | nothing: the keeper may end |
//!
//! The daemon never has more than [`crate::limits::INPUT_QUEUE`] bytes of input in flight.

use crate::base::bytes::{Put, Take};
use crate::base::error::{Error, Result};
use crate::limits;

/// Version of this protocol. Both sides speak the lower one.
pub const PROTOCOL: u16 = 1;

/// Bytes before a frame's body.
pub const HEAD: usize = 6;

/// How and when the program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exited {
    /// Whether `value` is a signal; an exit code otherwise.
    pub by_signal: bool,
    /// Exit code or signal.
    pub value: i32,
    /// Unix milliseconds.
    pub at_ms: i64,
    /// End of the log, with everything the program wrote.
    pub log_end: u64,
}

/// Everything a daemon must know of a session that it may never have heard of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hello {
    /// The keeper's [`PROTOCOL`].
    pub protocol: u16,
    /// The keeper's process id.
    pub pid: u32,
    /// Its start time in clock ticks since boot.
    pub start: u64,
    /// The program's process id.
    pub program_pid: u32,
    /// Terminal columns.
    pub cols: u16,
    /// Terminal rows.
    pub rows: u16,
    /// 1 at the first start, one more at each resume.
    pub epoch: u32,
    /// Oldest offset in the log.
    pub log_start: u64,
    /// End of the log.
    pub log_end: u64,
    /// The disk refuses output.
    pub degraded: bool,
    /// The program has ended.
    pub exited: Option<Exited>,
    /// Session id.
    pub session: String,
    /// Build that this keeper is of.
    pub build: String,
    /// Absolute path of the program.
    pub program: String,
    /// Its working directory at the start.
    pub cwd: String,
}

/// A frame of either side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    /// Keeper: who I am.
    Hello(Box<Hello>),
    /// Keeper: terminal output.
    Output {
        /// Of the first byte.
        offset: u64,
        /// At least one byte.
        bytes: Vec<u8>,
    },
    /// Keeper: relaying has stopped here.
    Behind(u64),
    /// Keeper: so much input was taken.
    InputDone(u64),
    /// Keeper: the program ended.
    Exited(Exited),
    /// Keeper: whether the disk refuses output.
    Log {
        /// It does.
        degraded: bool,
    },
    /// Keeper: a peer was turned away.
    Refused {
        /// Its process id.
        pid: u32,
        /// Its name.
        name: String,
    },
    /// Keeper: the cage has lost the mask at this path; its processes were stopped.
    Lost(String),
    /// Daemon: first frame.
    Attach {
        /// The daemon's [`PROTOCOL`].
        protocol: u16,
        /// The daemon's build.
        build: String,
    },
    /// Daemon: relay from here.
    Follow(u64),
    /// Daemon: bytes for the terminal.
    Input(Vec<u8>),
    /// Daemon: new terminal size.
    Resize {
        /// Columns.
        cols: u16,
        /// Rows.
        rows: u16,
    },
    /// Daemon: send a signal.
    Signal {
        /// Its number.
        number: i32,
        /// To every descendant; else to the program and the foreground.
        all: bool,
    },
    /// Daemon: a record for the index.
    Mark {
        /// Where.
        offset: u64,
        /// The record's three numbers.
        fields: (u16, u16, u32),
    },
    /// Daemon: the exit is stored.
    ExitStored,
    /// A type of a later version.
    Unknown(u16),
}

impl Frame {
    /// The frame's bytes on the wire.
    pub fn encode(&self) -> Vec<u8> {
        let put = Put::new();
        let (kind, body) = match self {
            Frame::Hello(hello) => (1, hello.encode()),
            Frame::Output { offset, bytes } => (2, put.u64(*offset).raw(bytes).done()),
            Frame::Behind(end) => (3, put.u64(*end).done()),
            Frame::InputDone(total) => (4, put.u64(*total).done()),
            Frame::Exited(exited) => (5, exited.put(put).done()),
            Frame::Log { degraded } => (6, put.u8(u8::from(*degraded)).done()),
            Frame::Refused { pid, name } => (7, put.u32(*pid).blob(name.as_bytes()).done()),
            Frame::Lost(path) => (8, put.blob(path.as_bytes()).done()),
            Frame::Attach { protocol, build } => {
                (101, put.u16(*protocol).blob(build.as_bytes()).done())
            }
            Frame::Follow(offset) => (102, put.u64(*offset).done()),
            Frame::Input(bytes) => (103, bytes.clone()),
            Frame::Resize { cols, rows } => (104, put.u16(*cols).u16(*rows).done()),
            Frame::Signal { number, all } => (105, put.i32(*number).u8(u8::from(*all)).done()),
            Frame::Mark { offset, fields: (kind, a, b) } => {
                (106, put.u64(*offset).u16(*kind).u16(*a).u32(*b).done())
            }
            Frame::ExitStored => (107, Vec::new()),
            Frame::Unknown(kind) => (*kind, Vec::new()),
        };
        Put::new().u32(body.len() as u32).u16(kind).raw(&body).done()
    }

    fn decode(kind: u16, body: &[u8]) -> Result<Frame> {
        let mut take = Take::new(body);
        Ok(match kind {
            1 => Frame::Hello(Box::new(Hello::decode(take)?)),
            2 => Frame::Output { offset: take.u64()?, bytes: take.rest().to_vec() },
            3 => Frame::Behind(take.u64()?),
            4 => Frame::InputDone(take.u64()?),
            5 => Frame::Exited(Exited::take(&mut take)?),
            6 => Frame::Log { degraded: take.u8()? == 1 },
            7 => Frame::Refused { pid: take.u32()?, name: take.text()? },
            8 => Frame::Lost(take.text()?),
            101 => Frame::Attach { protocol: take.u16()?, build: take.text()? },
            102 => Frame::Follow(take.u64()?),
            103 => Frame::Input(body.to_vec()),
            104 => Frame::Resize { cols: take.u16()?, rows: take.u16()? },
            105 => Frame::Signal { number: take.i32()?, all: take.u8()? == 1 },
            106 => {
                Frame::Mark { offset: take.u64()?, fields: (take.u16()?, take.u16()?, take.u32()?) }
            }
            107 => Frame::ExitStored,
            other => Frame::Unknown(other),
        })
    }
}

impl Exited {
    fn put(self, put: Put) -> Put {
        put.u8(u8::from(self.by_signal)).i32(self.value).i64(self.at_ms).u64(self.log_end)
    }

    fn take(take: &mut Take<'_>) -> Result<Exited> {
        let by_signal = take.u8()? == 1;
        let (value, at_ms, log_end) = (take.i32()?, take.i64()?, take.u64()?);
        Ok(Exited { by_signal, value, at_ms, log_end })
    }
}

impl Hello {
    fn encode(&self) -> Vec<u8> {
        let none = Exited { by_signal: false, value: 0, at_ms: 0, log_end: 0 };
        let put = Put::new()
            .u16(self.protocol)
            .u32(self.pid)
            .u64(self.start)
            .u32(self.program_pid)
            .u16(self.cols)
            .u16(self.rows)
            .u32(self.epoch)
            .u64(self.log_start)
            .u64(self.log_end)
            .u8(u8::from(self.degraded))
            .u8(u8::from(self.exited.is_some()));
        let put = self.exited.unwrap_or(none).put(put);
        put.blob(self.session.as_bytes())
            .blob(self.build.as_bytes())
            .blob(self.program.as_bytes())
            .blob(self.cwd.as_bytes())
            .done()
    }

    fn decode(mut take: Take<'_>) -> Result<Hello> {
        let (protocol, pid, start) = (take.u16()?, take.u32()?, take.u64()?);
        let (program_pid, cols, rows) = (take.u32()?, take.u16()?, take.u16()?);
        let (epoch, log_start, log_end) = (take.u32()?, take.u64()?, take.u64()?);
        let (degraded, has_exited) = (take.u8()? == 1, take.u8()? == 1);
        let exited = Some(Exited::take(&mut take)?).filter(|_| has_exited);
        let (session, build) = (take.text()?, take.text()?);
        let (program, cwd) = (take.text()?, take.text()?);
        Ok(Hello {
            protocol,
            pid,
            start,
            program_pid,
            cols,
            rows,
            epoch,
            log_start,
            log_end,
            degraded,
            exited,
            session,
            build,
            program,
            cwd,
        })
    }
}

/// Bytes that have come in, handed out frame by frame.
#[derive(Default)]
pub struct Inbox {
    bytes: Vec<u8>,
    at: usize,
}

impl Inbox {
    /// Adds bytes as they arrived, cut anywhere.
    pub fn add(&mut self, bytes: &[u8]) {
        self.bytes.drain(..self.at);
        self.at = 0;
        self.bytes.extend_from_slice(bytes);
    }

    /// The next whole frame; `None` when it is not all there yet. A length above the limit is an
    /// error: the peer is broken.
    pub fn take(&mut self) -> Result<Option<Frame>> {
        let rest = &self.bytes[self.at..];
        let Some(head) = rest.first_chunk::<HEAD>() else { return Ok(None) };
        let length = u32::from_le_bytes([head[0], head[1], head[2], head[3]]) as usize;
        let kind = u16::from_le_bytes([head[4], head[5]]);
        if length > limits::FRAME_BYTES {
            return Err(Error::invalid(format!("a frame of {length} bytes is too long")));
        }
        let Some(body) = rest.get(HEAD..HEAD + length) else { return Ok(None) };
        let frame = Frame::decode(kind, body);
        self.at += HEAD + length;
        if self.at == self.bytes.len() {
            // Burst-sized memory goes back: most sessions are silent most of the time.
            *self = Inbox::default();
        }
        frame.map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hello() -> Hello {
        let exited =
            Some(Exited { by_signal: true, value: 9, at_ms: 1_790_000_000_000, log_end: 7 });
        Hello {
            protocol: PROTOCOL,
            pid: 12,
            start: 34,
            program_pid: 56,
            cols: 120,
            rows: 30,
            epoch: 2,
            log_start: 1,
            log_end: 1 << 33,
            degraded: true,
            exited,
            session: "s".into(),
            build: "b".into(),
            program: "/bin/cat".into(),
            cwd: "/tmp".into(),
        }
    }

    fn all() -> Vec<Frame> {
        vec![
            Frame::Hello(Box::new(hello())),
            Frame::Output { offset: 9, bytes: b"out".to_vec() },
            Frame::Behind(10),
            Frame::InputDone(11),
            Frame::Exited(hello().exited.unwrap()),
            Frame::Log { degraded: true },
            Frame::Refused { pid: 5, name: "sh".into() },
            Frame::Attach { protocol: 1, build: "x".into() },
            Frame::Follow(12),
            Frame::Input(b"in".to_vec()),
            Frame::Resize { cols: 80, rows: 24 },
            Frame::Signal { number: 15, all: true },
            Frame::Mark { offset: 3, fields: (5, 0, 6) },
            Frame::ExitStored,
            Frame::Unknown(999),
        ]
    }

    #[test]
    fn frames_come_back_from_any_split_of_the_stream() {
        let bytes: Vec<u8> = all().iter().flat_map(Frame::encode).collect();
        for step in [1, 2, 5, 7, bytes.len()] {
            let (mut inbox, mut back) = (Inbox::default(), Vec::new());
            for piece in bytes.chunks(step) {
                inbox.add(piece);
                while let Some(frame) = inbox.take().unwrap() {
                    back.push(frame);
                }
            }
            assert_eq!(back, all());
        }
    }

    #[test]
    fn the_first_protocol_is_still_understood_byte_for_byte() {
        // Never change these bytes: keepers of the first release speak them.
        let golden = "01000c00000022000000000000003800000078001e000200000001000000000000\
            00000000000200000001010109000000006c50c4a0010000070000000000000001000000730100000062\
            080000002f62696e2f636174040000002f746d70";
        let bytes = Frame::Hello(Box::new(hello())).encode();
        assert_eq!(crate::base::id::hex(&bytes[HEAD..]), golden);
        assert_eq!(bytes[..HEAD], [95, 0, 0, 0, 1, 0]);
    }

    #[test]
    fn random_bytes_never_panic_and_oversize_is_refused() {
        let mut state = 42_u64;
        for _ in 0..20_000 {
            let mut bytes: Vec<u8> = (0..40)
                .map(|_| {
                    state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    (state >> 33) as u8
                })
                .collect();
            bytes[2..4].fill(0);
            bytes[5] = 0;
            let mut inbox = Inbox::default();
            inbox.add(&bytes);
            while let Ok(Some(_)) = inbox.take() {}
        }
        let mut inbox = Inbox::default();
        inbox.add(&[255; 10]);
        assert!(inbox.take().is_err());
    }
}
