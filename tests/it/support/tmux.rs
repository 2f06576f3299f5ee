//! A terminal that a test can type into and look at: tmux with a server of its own.

use crate::support::pids::Pids;
use crate::support::space::Space;
use crate::support::space::path_text;
use crate::support::wait::SOON;
use crate::support::wait::Shown;
use crate::support::wait::wait_for;
use crate::support::wait::wait_until;
use std::process::Command;
use std::time::Duration;
use std::time::Instant;

/// A program that has drawn nothing for this long has finished its picture.
const STILL: Duration = Duration::from_millis(400);

/// No line of tmux's own, and the window outlives its command.
const SETTINGS: &str = "set -g status off
set -g remain-on-exit on
set -g remain-on-exit-format ''
set -g default-terminal tmux-256color
set -sg escape-time 0
";

/// One window of one tmux server; both end with it.
pub struct Tmux<'a> {
    space: &'a Space,
    socket: String,
    settings: String,
    server: Pids,
}

impl<'a> Tmux<'a> {
    /// Runs a shell command in a new terminal of this size. The window stays when the command has
    /// ended, so that its last screen can be read.
    #[track_caller]
    pub fn start(space: &'a Space, cols: u16, rows: u16, command: &str) -> Tmux<'a> {
        let mut random = [0u8; 4];
        getrandom::fill(&mut random).expect("random bytes");
        let name = format!("tmux-{:08x}", u32::from_le_bytes(random));
        let settings = path_text(&space.write(&format!("{name}.conf"), SETTINGS));
        let socket = path_text(&space.root.join(name));
        let mut tmux = Tmux { space, socket, settings, server: Pids::default() };
        let (cols, rows) = (cols.to_string(), rows.to_string());
        let command = format!("({command}); echo $? >{}.code", tmux.socket);
        tmux.run(&["new-session", "-d", "-x", &cols, "-y", &rows, &command]);
        let pid = tmux.run(&["display-message", "-p", "#{pid}"]);
        tmux.server.add(pid.trim().parse().expect("the server's pid"));
        tmux
    }

    /// Types text, byte for byte.
    #[track_caller]
    pub fn text(&self, text: &str) {
        // A semicolon at the end would end tmux's own command.
        let ended = text.strip_suffix(';').map(|rest| format!("{rest}\\;"));
        self.run(&["send-keys", "-l", "--", ended.as_deref().unwrap_or(text)]);
    }

    /// Presses keys by tmux's names: `Enter`, `C-c`, `C-\`, `Up`.
    #[track_caller]
    pub fn keys(&self, keys: &[&str]) {
        self.run(&[&["send-keys"], keys].concat());
    }

    /// Sends these bytes as they are, control bytes too.
    #[track_caller]
    pub fn bytes(&self, bytes: &[u8]) {
        let hex: Vec<String> = bytes.iter().map(|b| format!("{b:02x}")).collect();
        let hex: Vec<&str> = hex.iter().map(String::as_str).collect();
        self.run(&[&["send-keys", "-H"], &hex[..]].concat());
    }

    /// Changes the terminal's size.
    #[track_caller]
    pub fn resize(&self, cols: u16, rows: u16) {
        let (cols, rows) = (cols.to_string(), rows.to_string());
        self.run(&["resize-window", "-x", &cols, "-y", &rows]);
    }

    /// The picture as text.
    #[track_caller]
    pub fn screen(&self) -> String {
        self.run(&["capture-pane", "-p"])
    }

    /// The picture with its colours and attributes.
    #[track_caller]
    pub fn colours(&self) -> String {
        self.run(&["capture-pane", "-p", "-e"])
    }

    /// Where the cursor stands, whether it shows, and whether the alternate screen is on:
    /// `x,y,visible,alternate`.
    #[track_caller]
    pub fn cursor(&self) -> String {
        let format = "#{cursor_x},#{cursor_y},#{cursor_flag},#{alternate_on}";
        self.run(&["display-message", "-p", format]).trim().to_string()
    }

    /// What programs have switched on in this terminal: keypads, mouse, scroll region, cursor.
    #[track_caller]
    pub fn modes(&self) -> String {
        let format = "cursor=#{cursor_flag} alternate=#{alternate_on} insert=#{insert_flag} \
                      keypad=#{keypad_flag},#{keypad_cursor_flag} origin=#{origin_flag} \
                      wrap=#{wrap_flag} mouse=#{mouse_any_flag},#{mouse_sgr_flag} \
                      region=#{scroll_region_upper},#{scroll_region_lower}";
        self.run(&["display-message", "-p", format]).trim().to_string()
    }

    /// The process id of the command.
    #[track_caller]
    pub fn command_pid(&self) -> i32 {
        self.run(&["display-message", "-p", "#{pane_pid}"]).trim().parse().expect("a pid")
    }

    /// The exit code of the command, once it has ended.
    #[track_caller]
    pub fn exit_code(&self) -> Option<i32> {
        // tmux itself loses the status of a command now and then.
        std::fs::read_to_string(format!("{}.code", self.socket)).ok()?.trim().parse().ok()
    }

    /// The picture with colours and cursor, once it has stood still.
    #[track_caller]
    pub fn still(&self) -> String {
        let mut last = (self.picture(), Instant::now());
        wait_until("a picture that stands still", SOON, || {
            let now = self.picture();
            if now != last.0 {
                last = (now, Instant::now());
            }
            last.1.elapsed() > STILL
        });
        last.0
    }

    /// The picture with its colours, and the cursor.
    #[track_caller]
    pub fn picture(&self) -> String {
        format!("{}{}", self.colours(), self.cursor())
    }

    /// Returns when picture and cursor are exactly these.
    #[track_caller]
    pub fn wait_picture(&self, picture: &str) {
        let mut last = Shown::default();
        wait_until(&format!("this picture:\n{picture}\n"), SOON, || {
            last.0 = self.picture();
            last.0 == picture
        });
    }

    /// Returns when the command has ended, with its exit code.
    #[track_caller]
    pub fn wait_end(&self) -> i32 {
        wait_for("the terminal's command to end", SOON, || self.exit_code())
    }

    /// Returns when the picture contains `text`.
    #[track_caller]
    pub fn wait_text(&self, text: &str) {
        self.wait_screen(&format!("{text:?}"), |screen| screen.contains(text));
    }

    /// Returns when the picture is as wanted; prints the last one when it never is.
    #[track_caller]
    pub fn wait_screen(&self, what: &str, wanted: impl Fn(&str) -> bool) {
        let mut last = Shown::default();
        wait_until(&format!("{what} in the terminal"), SOON, || {
            last.0 = self.screen();
            wanted(&last.0)
        });
    }

    #[track_caller]
    fn run(&self, args: &[&str]) -> String {
        let mut command = Command::new("tmux");
        command.args(["-S", &self.socket, "-f", &self.settings]).args(args);
        command.env_clear().envs(&self.space.env).current_dir(&self.space.project);
        let out = command.output().expect("tmux; `make test` installs it");
        let stderr = String::from_utf8_lossy(&out.stderr);
        assert!(out.status.success(), "tmux {args:?}: {stderr}");
        String::from_utf8_lossy(&out.stdout).into_owned()
    }
}
