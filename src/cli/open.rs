//! `open`: where the dashboard is, from here and from another machine.

use crate::base::error::{Error, Result};
use crate::cli::Invocation;
use crate::cli::command::Command;
use crate::cli::command::Group;
use crate::cli::command::Words;
use crate::cli::text;
use crate::sys::user;

/// The command of this file.
pub const COMMANDS: &[Command] = &[Command {
    name: "open",
    aliases: &[],
    group: Group::Daemon,
    usage: "",
    about: "Say where the dashboard is, and how to reach it from elsewhere",
    options: &[],
    words: Words::Count(0, 0),
    details: "Prints the address, and the SSH tunnel that brings it to another machine under\n\
              the same address. The dashboard is there when the daemon was started with\n\
              --web.",
    examples: &["codepiper open", "codepiper open | head -1"],
    run: open,
}];

fn open(call: &Invocation<'_>) -> Result<i32> {
    let version = call.client.get("/version")?;
    let web = &version["web"];
    let Some(url) = web["url"].as_str() else {
        return Err(Error::not_found(
            "the dashboard is closed; open it with: codepiper daemon stop && \
             codepiper daemon --web --detach (sessions live on)",
        ));
    };
    if call.out.json {
        call.out.body(web)?;
        return Ok(0);
    }
    let (port, ws_port) = (&web["port"], &web["wsPort"]);
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let host = Some(host.trim()).filter(|host| !host.is_empty()).unwrap_or("your-server");
    let login = user::current().name;
    call.out.line(&text::clean(url))?;
    call.out.line("from another machine, with this running there:")?;
    let tunnel =
        format!("  ssh -L {port}:localhost:{port} -L {ws_port}:localhost:{ws_port} {login}@{host}");
    call.out.line(&text::clean(&tunnel))?;
    call.out.line(&format!("  then open http://localhost:{port}/"))?;
    Ok(0)
}
