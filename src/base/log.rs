//! The daemon's log: one line per event with time, level and thread, to stderr or a file.

use crate::base::time;
use crate::limits;
use log::Level;
use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Mutex;

struct Sink {
    out: Mutex<Out>,
    /// journald wants `<N>` in front and brings its own time.
    journal: bool,
}

enum Out {
    Stderr,
    File { path: PathBuf, file: File, size: u64 },
}

/// Sends `log` records to stderr. Under systemd (`JOURNAL_STREAM`) lines carry a priority prefix.
pub fn to_stderr() {
    let journal = std::env::var_os("JOURNAL_STREAM").is_some();
    install(Sink { out: Mutex::new(Out::Stderr), journal });
}

/// Sends `log` records to an open file at `path`, which is moved to `<path>.1` when it is full.
pub fn to_file(path: PathBuf, file: File) {
    let size = file.metadata().map(|m| m.len()).unwrap_or(0);
    install(Sink { out: Mutex::new(Out::File { path, file, size }), journal: false });
}

fn install(sink: Sink) {
    let level = match std::env::var("CODEPIPER_LOG").as_deref() {
        Ok("debug") => log::LevelFilter::Debug,
        Ok("warn") => log::LevelFilter::Warn,
        Ok("error") => log::LevelFilter::Error,
        _ => log::LevelFilter::Info,
    };
    // Fails only if a logger is there already, and then that one serves.
    if log::set_boxed_logger(Box::new(sink)).is_ok() {
        log::set_max_level(level);
    }
}

impl log::Log for Sink {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        if record.target().split("::").next() != Some("codepiper") {
            return;
        }
        let line = self.line(record);
        let mut out = self.out.lock().unwrap_or_else(|e| e.into_inner());
        // A log that cannot be written has nobody left to tell.
        let _ = out.write(line.as_bytes());
    }

    fn flush(&self) {}
}

impl Sink {
    fn line(&self, record: &log::Record<'_>) -> String {
        let thread = std::thread::current();
        let name = thread.name().unwrap_or("?");
        let text = record.args().to_string().replace('\n', " | ");
        if self.journal {
            let priority = match record.level() {
                Level::Error => 3,
                Level::Warn => 4,
                Level::Info => 6,
                _ => 7,
            };
            return format!("<{priority}>[{name}] {text}\n");
        }
        let level = record.level().as_str().to_ascii_lowercase();
        format!("{} {level:5} [{name}] {text}\n", time::rfc3339(time::unix_ms()))
    }
}

impl Out {
    fn write(&mut self, line: &[u8]) -> std::io::Result<()> {
        match self {
            Out::Stderr => std::io::stderr().write_all(line),
            Out::File { path, file, size } => {
                if *size > limits::gate::LOG_FILE_BYTES {
                    let mut old = path.clone().into_os_string();
                    old.push(".1");
                    std::fs::rename(&*path, old)?;
                    let mut open = File::options();
                    std::os::unix::fs::OpenOptionsExt::mode(&mut open, 0o600);
                    *file = open.append(true).create(true).open(&*path)?;
                    *size = 0;
                }
                *size += line.len() as u64;
                file.write_all(line)
            }
        }
    }
}
