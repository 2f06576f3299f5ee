//! Three programs in one: keeper, daemon and client. The hook comes first: it is started for every
//! tool call.

use codepiper::cli;
use codepiper::cli::DaemonOptions;
use codepiper::cli::Outside;
use codepiper::daemon;
use codepiper::daemon::Options;
use codepiper::keeper;
use std::ffi::OsString;

fn main() {
    let words: Vec<OsString> = std::env::args_os().skip(1).collect();
    let code = match words.first().and_then(|word| word.to_str()) {
        Some("hook-forward") if words.len() == 1 => cli::hook::run(),
        Some("keeper") => keeper::run::main(),
        _ => client(words),
    };
    std::process::exit(code);
}

fn client(words: Vec<OsString>) -> i32 {
    let api_table = daemon::api_table();
    let outside = Outside {
        api_table: &api_table,
        serve,
        hook_forward: cli::hook::run,
        keeper: keeper::run::main,
        verify: daemon::verify,
        build: codepiper::BUILD,
        version: env!("CARGO_PKG_VERSION"),
    };
    cli::run(words, &outside)
}

fn serve(options: DaemonOptions) -> i32 {
    let DaemonOptions { socket, log_file, web } = options;
    daemon::serve(Options { socket, log_file, web })
}
