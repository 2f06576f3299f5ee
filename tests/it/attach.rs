//! A detached and reattached terminal shows the same picture: editors, pagers, colours, wide
//! characters; also when the daemon was killed in between.

use crate::support::daemon::BINARY;
use crate::support::daemon::Daemon;
use crate::support::space::Space;
use crate::support::tmux::Tmux;
use crate::support::wait::SOON;
use crate::support::wait::wait_until;
use std::time::Duration;
use std::time::Instant;

const COLS: u16 = 90;
const ROWS: u16 = 28;

/// Everything a terminal can colour, and characters of every width.
const COLOURS: &str = r#"#!/bin/bash
printf '\033[2J\033[H'
for i in $(seq 40 47) $(seq 100 107); do printf '\033[%dm ' "$i"; done
for i in $(seq 16 255); do printf '\033[48;5;%dm ' "$i"; done; printf '\033[0m\n'
for i in $(seq 0 8 255); do printf '\033[38;2;%d;%d;128m\033[48;2;0;%d;9mx' "$i" "$((255-i))" "$i"
done; printf '\033[0m\n'
printf '\033[1mbold\033[0m \033[2mdim\033[0m \033[3mitalic\033[0m \033[4munder\033[0m '
printf '\033[7minverse\033[0m \033[1;3;4;91;104mall\033[0m\n'
printf '日本語 한국어 \033[35m中文\033[0m|👍|🦀🦀|e\u0301 n\u0303 a\u0308|\n'
printf 'left\033[60Gfar\033[12;20H\033[44m日本\033[0m middle'
printf '\033[20;1H\033[41m\033[K\033[0m\033[24;70Hlow right\033[15;33H'
exec sleep 1000
"#;

fn attach<'a>(space: &'a Space, cols: u16, rows: u16, args: &str) -> Tmux<'a> {
    Tmux::start(space, cols, rows, &format!("{BINARY} attach {args}"))
}

/// A session that begins with its program once `begin` has typed Enter on an attached terminal.
fn waiting(daemon: &Daemon<'_>, command: &str) -> String {
    let script = format!("stty -echo; echo waiting; read -r go; stty echo; exec {command}");
    let id = daemon.start_session(&["bash", "-c", &script]);
    daemon.wait_screen(&id, "waiting");
    id
}

fn begin(terminal: &Tmux<'_>) {
    terminal.wait_text("waiting");
    terminal.keys(&["Enter"]);
}

fn detach(terminal: &Tmux<'_>) {
    terminal.keys(&["C-\\", "d"]);
    assert_eq!(terminal.wait_end(), 0, "{}", terminal.screen());
    terminal.wait_text("[detached from ");
}

/// Shows `command` live until it says `text`, types `keys`, then kills the daemon behind its
/// back: the picture painted for a new terminal is the one that the program drew itself.
fn the_picture_comes_back(space: &Space, command: &str, text: &str, keys: &[&str]) {
    let mut daemon = Daemon::start(space);
    let id = waiting(&daemon, command);
    let first = attach(space, COLS, ROWS, &id);
    begin(&first);
    first.wait_text(text);
    if !keys.is_empty() {
        first.keys(keys);
    }
    let drawn = first.still();
    detach(&first);
    daemon.crash_and_restart();
    let second = attach(space, COLS, ROWS, &id);
    second.wait_picture(&drawn);
    assert_eq!(second.still(), drawn);
}

#[test]
fn vim_comes_back_as_it_was() {
    let space = Space::new();
    let lines: Vec<String> = (1..200).map(|i| format!("int x{i} = \"日{i}\"; // text")).collect();
    space.write("project/file.c", &lines.join("\n"));
    let vim = "vim -u NONE -i NONE -nN +'syntax on' +'set number hlsearch laststatus=2' \
               +'split' file.c";
    the_picture_comes_back(&space, vim, "file.c", &["/", "x", "3", "Enter", "v", "3", "j"]);
}

#[test]
fn less_comes_back_as_it_was() {
    let space = Space::new();
    let lines: Vec<String> = (1..400).map(|i| format!("line {i} \x1b[32mgreen\x1b[0m")).collect();
    space.write("project/text", &lines.join("\n"));
    let keys = ["Space", "Space", "/", "l", "i", "n", "e", "Space", "1", "0", "0", "Enter"];
    the_picture_comes_back(&space, "less -R text", "line 20", &keys);
}

#[test]
fn colours_and_wide_characters_come_back_as_they_were() {
    let space = Space::new();
    let program = space.write_program("project/colours", COLOURS);
    the_picture_comes_back(&space, program.to_str().unwrap(), "low right", &[]);
}

#[test]
fn htop_comes_back_with_its_rows_and_its_colours() {
    let space = Space::new();
    let mut daemon = Daemon::start(&space);
    let id = waiting(&daemon, "htop -d 10");
    // Numbers change from look to look; that the parts stand where they stood must not.
    let parts = |terminal: &Tmux<'_>| {
        let screen = terminal.screen();
        let row = |text: &str| screen.lines().position(|line| line.contains(text));
        let place = |text: &str| screen.lines().find_map(|line| line.find(text));
        let keys = screen.lines().last().map(str::to_string);
        let cursor = terminal.cursor();
        (row("PID"), row("Mem["), place("Mem["), place("Tasks:"), row("Tasks:"), keys, cursor)
    };
    let whole =
        |screen: &str| ["Mem[", "Tasks:", "PID", "F10"].iter().all(|part| screen.contains(part));
    let first = attach(&space, 120, 30, &id);
    begin(&first);
    first.wait_screen("htop", whole);
    let (before, colours) = (parts(&first), first.colours());
    detach(&first);
    daemon.crash_and_restart();
    let second = attach(&space, 120, 30, &id);
    second.wait_screen("htop", whole);
    assert_eq!(parts(&second), before);
    let header = |text: &str| text.lines().find(|l| l.contains("PID")).map(str::to_string);
    assert_eq!(header(&second.colours()), header(&colours));
    second.keys(&["q"]);
    second.wait_text("ended: exit code 0");
}

#[test]
fn a_daemon_killed_while_attached_comes_back_by_itself_and_takes_keys() {
    let space = Space::new();
    let mut daemon = Daemon::start(&space);
    space.write("project/file", "one\ntwo 日本\n");
    let id = waiting(&daemon, "vim -u NONE -i NONE -nN file");
    let terminal = attach(&space, COLS, ROWS, &id);
    begin(&terminal);
    terminal.wait_text("two 日本");
    let drawn = terminal.still();
    // Back soon: no trace of it. Back late: a note, which the next picture takes away.
    daemon.crash_and_restart();
    typing_works(&terminal);
    let back = terminal.still();
    // The last row is vim's own, where it has just answered; then comes the cursor.
    let rows = |picture: &str| -> Vec<String> {
        picture.lines().take(usize::from(ROWS) - 1).map(str::to_string).collect()
    };
    assert_eq!(rows(&back), rows(&drawn));
    daemon.kill9();
    terminal.wait_text("the daemon is away");
    daemon.start_binary(BINARY);
    terminal.wait_picture(&back);
    typing_works(&terminal);
}

/// Types at vim until it answers: on a loaded machine the daemon may be away for longer than keys
/// are kept.
fn typing_works(vim: &Tmux<'_>) {
    wait_until("vim to answer", SOON, || {
        vim.keys(&["Escape", "Escape"]);
        vim.text(":echo 6*7");
        vim.keys(&["Enter"]);
        let end = Instant::now() + Duration::from_secs(3);
        while Instant::now() < end && !vim.screen().contains("42") {
            std::thread::yield_now();
        }
        vim.screen().contains("42")
    });
    vim.text(":echo");
    vim.keys(&["Enter"]);
    vim.wait_screen("an empty last line", |screen| !screen.contains("42"));
}
