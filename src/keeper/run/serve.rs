//! The keeper's door: who may come in, and what a daemon is told and obeyed.

use crate::base::error::{Error, Result};
use crate::keeper::conn::Conn;
use crate::keeper::launch::Launch;
use crate::keeper::peer;
use crate::keeper::proto;
use crate::keeper::proto::Frame;
use crate::keeper::proto::Hello;
use crate::keeper::run::Keeper;
use crate::limits;
use crate::output::index::Mark;
use crate::output::reader::Reader;
use crate::sys::proc;
use crate::sys::signal::Name;
use crate::sys::sock;
use crate::sys::tty::Size;
use std::os::unix::net::UnixStream;

/// Refused peers remembered for a daemon that is away.
const REFUSED_KEPT: usize = 16;

impl Keeper {
    pub(super) fn accept(&mut self) {
        let Ok((stream, _)) = self.listener.accept() else { return };
        if let Err(frame) = admit(&stream) {
            if self.conn.is_none() && self.refused.len() < REFUSED_KEPT {
                self.refused.push(frame.clone());
            }
            self.with_daemon(|conn| match conn.link.backlog() < limits::RELAY_QUEUE {
                true => conn.link.send(&frame),
                // A daemon that stands still must not cost us memory for each knock.
                false => Ok(()),
            });
            return;
        }
        // One daemon at a time: a second one is closed, and tries again.
        if self.conn.is_none()
            && let Ok(conn) = Conn::new(stream)
        {
            self.conn = Some(conn);
            self.input_done = 0;
            let hello = Frame::Hello(Box::new(self.hello()));
            let refused = std::mem::take(&mut self.refused);
            let lost = self.lost.take().map(|mask| mask.to_string_lossy().into_owned());
            self.with_daemon(|conn| {
                conn.link.send(&hello)?;
                lost.into_iter().try_for_each(|mask| conn.link.send(&Frame::Lost(mask)))?;
                refused.iter().try_for_each(|frame| conn.link.send(frame))
            });
        }
    }

    fn hello(&self) -> Hello {
        Hello {
            protocol: proto::PROTOCOL,
            pid: std::process::id(),
            start: self.start,
            program_pid: self.program.pid as u32,
            cols: self.program.size.cols,
            rows: self.program.size.rows,
            epoch: self.launch.epoch,
            log_start: self.log.start(),
            log_end: self.log.end(),
            degraded: self.log.is_degraded(),
            exited: self.exited,
            session: self.launch.session.clone(),
            build: self.launch.build.clone(),
            program: self.launch.program.to_string_lossy().into_owned(),
            cwd: self.launch.cwd.to_string_lossy().into_owned(),
        }
    }

    /// Runs `act` on the attached daemon, if there is one; an error detaches it.
    pub(super) fn with_daemon(&mut self, act: impl FnOnce(&mut Conn) -> Result<()>) {
        if let Some(conn) = &mut self.conn
            && act(conn).is_err()
        {
            self.conn = None;
        }
    }

    pub(super) fn hear_daemon(&mut self) {
        let Some(conn) = &mut self.conn else { return };
        let heard = conn.link.flush().and_then(|()| conn.link.receive());
        let Ok(frames) = heard else {
            self.conn = None;
            return;
        };
        for frame in frames {
            if self.obey(frame).is_err() {
                self.conn = None;
                return;
            }
        }
    }

    fn obey(&mut self, frame: Frame) -> Result<()> {
        match frame {
            Frame::Follow(offset) => self.follow(offset),
            Frame::Input(bytes) => {
                if !self.program.queue_input(&bytes) {
                    return Err(Error::invalid("more input than agreed"));
                }
                self.hand_input();
                Ok(())
            }
            Frame::Resize { cols, rows } => {
                if self.program.resize(Size { cols, rows }) {
                    self.log.mark(None, Mark::Resize { cols, rows });
                }
                Ok(())
            }
            Frame::Signal { number, all } => {
                if let Ok(name) = Name::try_from(number) {
                    self.program.signal(name, all);
                }
                Ok(())
            }
            Frame::Mark { offset, fields: (kind, a, b) } => {
                self.log.mark(Some(offset), Mark::from_fields(kind, a, b));
                Ok(())
            }
            Frame::ExitStored => {
                self.stored = self.exited.is_some();
                Ok(())
            }
            // Attach tells a version; types of later versions mean nothing to us.
            _ => Ok(()),
        }
    }

    pub(super) fn hand_input(&mut self) {
        let taken = self.program.write_input();
        if taken > 0 {
            self.input_done += taken as u64;
            let total = self.input_done;
            self.with_daemon(|conn| conn.link.send(&Frame::InputDone(total)));
        }
    }

    /// Relays from `offset` on, or says that the daemon must read the log first.
    fn follow(&mut self, offset: u64) -> Result<()> {
        let end = self.log.end();
        let Some(conn) = &mut self.conn else { return Ok(()) };
        let mut missed = Vec::new();
        if offset < end && end - offset <= limits::FOLLOW_GAP {
            missed = read_log(&self.launch, offset, end);
        }
        if offset + missed.len() as u64 == end {
            conn.follow(offset, &missed)
        } else {
            conn.link.send(&Frame::Behind(end))
        }
    }
}

/// Output between two offsets, or less where there is a gap.
fn read_log(launch: &Launch, from: u64, to: u64) -> Vec<u8> {
    let mut bytes = vec![0; (to - from) as usize];
    let (mut reader, mut have) = (Reader::new(&launch.log_dir), 0);
    while have < bytes.len() {
        match reader.read(from + have as u64, &mut bytes[have..]) {
            Ok(chunk) if chunk.len > 0 && chunk.from == from + have as u64 => have += chunk.len,
            _ => break,
        }
    }
    bytes.truncate(have);
    bytes
}

/// Checks a peer; a refused one comes back as the frame that reports it.
fn admit(stream: &UnixStream) -> std::result::Result<(), Frame> {
    let refused = |pid: i32| {
        let name = proc::stat(pid).map(|s| s.comm).unwrap_or_default();
        Frame::Refused { pid: pid.max(0) as u32, name }
    };
    let peer = sock::peer(stream).map_err(|_| refused(0))?;
    let own = proc::uid();
    let outside = || peer::keepers_of(peer.pid).is_ok_and(|keepers| keepers.is_empty());
    if peer.uid == own && outside() { Ok(()) } else { Err(refused(peer.pid)) }
}
