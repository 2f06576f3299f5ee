//! What is kept of the chain beside the database: `audit.key`, the key of the next row, and
//! `audit.head`, the newest row's place. Each is one line, overwritten after every commit.
//!
//! 1. Neither file may ever be ahead of the database: it is written after the commit. One that is
//!    behind is brought forward; one that is ahead shows that rows are gone.
//! 2. A key MUST be overwritten where it stands, so that the one before is not left on the disk,
//!    and MUST have mode 0600.
//! 3. A new key MUST be on the disk before the row that begins it.

use crate::base::error::{Context, Result};
use crate::base::id;
use crate::model::audit::Head;
use crate::model::chain::Key;
use crate::store::audit::chain::{Chain, Keyed};
use crate::store::fault::Health;
use data_encoding::HEXLOWER;
use rusqlite::Connection;
use rusqlite::OptionalExtension;
use std::fs;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::path::PathBuf;

/// The name of the key's file; it has this head in its line too.
const KEY_FILE: &str = "audit.key";
/// The name of the head's.
const HEAD_FILE: &str = "audit.head";

/// The two files.
pub(in crate::store) struct Beside {
    key: PathBuf,
    head: PathBuf,
}

/// A key as it is kept.
#[derive(Debug, Clone)]
pub(in crate::store) struct KeptKey {
    /// The row that it is for.
    pub seq: i64,
    /// The name of its epoch.
    pub name: String,
    /// The key itself.
    pub key: Key,
}

impl Beside {
    /// Those beside the database at `path`.
    pub fn of(path: &Path) -> Beside {
        Beside { key: path.with_file_name(KEY_FILE), head: path.with_file_name(HEAD_FILE) }
    }

    /// The end of the chain as the database and the key's file have it, and what is wrong with it.
    pub fn load(&self, health: &Health, conn: &Connection) -> Result<(Chain, Vec<String>)> {
        let cannot = "cannot read the end of the audit log";
        let (mut chain, epoch) = health.wrap(end(conn), cannot)?;
        let mut wrong = Vec::new();
        if let Some((name, _)) = epoch {
            chain.keyed = match self.key_of(&name, chain.seq) {
                Ok(key) => Keyed::With(name.into(), key),
                Err(why) => {
                    wrong.push(why.clone());
                    Keyed::Lost(why.into())
                }
            };
        }
        if let Some(why) = health.wrap(self.compare(conn, chain.seq), cannot)? {
            wrong.push(why);
        }
        Ok((chain, wrong))
    }

    /// What `audit.head` and the database say that cannot both be true.
    fn compare(&self, conn: &Connection, seq: i64) -> rusqlite::Result<Option<String>> {
        let Some(kept) = self.head() else { return Ok(None) };
        if kept.seq > seq {
            return Ok(Some(format!(
                "the audit log ends at row {seq}, and had reached row {} before: rows are gone, or \
                 this is an older database",
                kept.seq
            )));
        }
        let sql = "SELECT hash FROM audit WHERE seq = ?1";
        let hash: Option<[u8; 32]> =
            conn.query_row(sql, [kept.seq], |row| row.get(0)).optional()?;
        Ok((hash != Some(kept.hash)).then(|| {
            format!("row {} of the audit log is not what it was: the log was rewritten", kept.seq)
        }))
    }

    /// The key for the row behind `seq`, or why there is none.
    fn key_of(&self, name: &str, seq: i64) -> std::result::Result<Key, String> {
        let shown = self.key.display();
        let mut first = None;
        for path in [&self.key, &self.next_key()] {
            match read_key(path) {
                Ok(kept) if kept.name == name && kept.seq > seq + 1 => {
                    return Err(format!(
                        "the key in {shown} is for row {} and the audit log ends at row {seq}: \
                         rows are gone, or this is an older database",
                        kept.seq
                    ));
                }
                Ok(kept) if kept.name == name => {
                    let steps = kept.seq..seq + 1;
                    return Ok(steps.fold(kept.key, |key, _| key.next()));
                }
                Ok(_) => {
                    first.get_or_insert(format!("{shown} is not the key of the audit log"));
                }
                Err(why) => {
                    first.get_or_insert(why);
                }
            }
        }
        Err(first.unwrap_or_default())
    }

    fn next_key(&self) -> PathBuf {
        self.key.with_file_name("audit.key.new")
    }

    /// The key that is kept, where its file can be read.
    pub fn kept_key(&self) -> std::result::Result<KeptKey, String> {
        read_key(&self.key)
    }

    /// The head that is kept, where there is one.
    pub fn head(&self) -> Option<Head> {
        Head::parse(fs::read_to_string(&self.head).ok()?.lines().next()?)
    }

    /// Puts a key that begins on the disk, before the commit of the row that says so.
    pub fn prepare(&self, before: &Chain, after: &Chain) -> Result<()> {
        let Keyed::With(name, key) = &after.keyed else { return Ok(()) };
        if before.key_name().as_ref() == Some(name) {
            return Ok(());
        }
        let path = self.next_key();
        let write = || {
            let _ = fs::remove_file(&path);
            let mut options = File::options();
            let file = options.write(true).create_new(true).mode(0o600).open(&path)?;
            file.write_all_at(key_line(name, after.seq + 1, key).as_bytes(), 0)?;
            file.sync_all()?;
            File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()
        };
        write().internal(|| format!("cannot save the key in {}", path.display()))
    }

    /// Brings both files to a chain that is committed. What cannot be written is logged: it is
    /// behind then, which costs nothing but a later look.
    pub fn settle(&self, before: &Chain, after: &Chain) {
        if after.seq == before.seq {
            return;
        }
        if let Keyed::With(name, key) = &after.keyed {
            if before.key_name().as_ref() != Some(name) {
                self.tell(&self.key, fs::rename(self.next_key(), &self.key));
            }
            let line = key_line(name, after.seq + 1, key);
            self.tell(&self.key, overwrite(&self.key, &line));
        }
        self.tell(&self.head, overwrite(&self.head, &format!("{}\n", after.head())));
    }

    fn tell(&self, path: &Path, done: io::Result<()>) {
        if let Err(error) = done {
            log::error!("cannot write {}: {error}", path.display());
        }
    }
}

/// The end of the chain in the database, still without a key, and the key that should be in force
/// with the row that began it.
fn end(conn: &Connection) -> rusqlite::Result<(Chain, Option<(String, i64)>)> {
    let sql = "SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1";
    let last = conn.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    let (seq, hash) = last.unwrap_or((0, Chain::START.hash));
    let sql = "SELECT json_extract(args, '$.begins'), seq FROM audit
               WHERE kind = 'chain' AND json_extract(args, '$.begins') IS NOT NULL
               ORDER BY seq DESC LIMIT 1";
    let epoch = conn.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    Ok((Chain { seq, hash, keyed: Keyed::Never }, epoch))
}

/// The line of the key's file. Its length does not change, so that it is overwritten as a whole.
fn key_line(name: &str, seq: i64, key: &Key) -> String {
    format!("{KEY_FILE} 1 {name} {seq:020} {}\n", id::hex(key.bytes()))
}

fn read_key(path: &Path) -> std::result::Result<KeptKey, String> {
    let shown = path.display();
    let about = |why: &str| format!("the audit log's key {shown} {why}");
    let meta = match fs::metadata(path) {
        Ok(meta) => meta,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Err(about("is missing")),
        Err(e) => return Err(about(&format!("cannot be read: {e}"))),
    };
    let mode = meta.permissions().mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(about(&format!(
            "has mode {mode:04o}, others could read it; chmod 600 {shown}"
        )));
    }
    let text = fs::read_to_string(path).map_err(|e| about(&format!("cannot be read: {e}")))?;
    parse_key(&text).ok_or_else(|| about("is damaged"))
}

fn parse_key(text: &str) -> Option<KeptKey> {
    let mut words = text.lines().next()?.split(' ');
    if (words.next()?, words.next()?) != (KEY_FILE, "1") {
        return None;
    }
    let (name, seq) = (words.next()?.to_string(), words.next()?.parse().ok()?);
    let bytes = HEXLOWER.decode(words.next()?.as_bytes()).ok()?;
    Some(KeptKey { seq, name, key: Key::from_bytes(bytes.try_into().ok()?) })
}

/// Writes a line in the place of another, in one call.
fn overwrite(path: &Path, line: &str) -> io::Result<()> {
    let mut options = File::options();
    let file = options.write(true).create(true).truncate(false).mode(0o600).open(path)?;
    file.write_all_at(line.as_bytes(), 0)?;
    file.set_len(line.len() as u64)
}
