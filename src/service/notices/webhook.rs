//! Calls a webhook with the system's `curl`, which has the TLS that this program has not.
//!
//! 1. Everything about the request MUST go to `curl` on standard input: arguments are in the
//!    process list.
//! 2. An address that is this host's or its network's MUST NOT be called unless that is allowed,
//!    and what is called MUST be what was looked at: the address is pinned, nothing is followed.
//! 3. No text MUST be able to end its line of the configuration.

use crate::base::error::{Code, Error, Result};
use crate::base::secret::Secret;
use crate::base::secret::Vars;
use crate::limits::notices as limits;
use crate::service::notices::address;
use crate::service::notices::child;
use crate::service::notices::send::Sent;
use crate::service::notices::system;
use crate::service::notices::url::Url;
use std::net::IpAddr;
use zeroize::Zeroizing;

/// A request that is to be made. No `Debug`: it holds secrets.
pub struct Call<'a> {
    /// Where to.
    pub url: &'a Url,
    /// What is sent, as JSON.
    pub body: &'a str,
    /// What is shown for it, as a bearer token.
    pub token: Option<&'a Secret>,
    /// This host and its network may be called.
    pub allow_private: bool,
}

/// Makes it, in this environment.
pub fn call(call: &Call<'_>, env: &Vars) -> Sent {
    match make(call, env) {
        Ok(sent) => sent,
        Err(error) if error.code == Code::Timeout => Sent::Retry(error.message),
        Err(error) => Sent::Failed(error.message),
    }
}

fn make(call: &Call<'_>, env: &Vars) -> Result<Sent> {
    let path = env.get("PATH").map_or("", String::as_str);
    let curl = system::find("curl", path)?;
    let addresses = match resolve(call.url, path, env)? {
        Some(addresses) => addresses,
        None => return Ok(Sent::Retry(format!("{} has no address now", call.url.host))),
    };
    if let Some(private) = addresses.iter().find(|one| !address::is_public(**one))
        && !call.allow_private
    {
        let host = &call.url.host;
        return Err(Error::denied(format!(
            "{host} is {private}, an address of this host or its network; allow it with \
             --allow-private"
        )));
    }
    let config = Zeroizing::new(config(call, &addresses));
    let ran =
        child::run(&curl, &["-q", "--config", "-"], env, config.as_bytes(), limits::COMMAND_WAIT)?;
    let status = ran.stdout.trim();
    Ok(match (ran.status.code(), status.parse::<u16>()) {
        (Some(0), Ok(200..=299)) => Sent::Done(format!("HTTP {status}")),
        (Some(0), Ok(408 | 429 | 500..=599)) => Sent::Retry(format!("HTTP {status}")),
        (Some(0), Ok(300..=399)) => {
            Sent::Failed(format!("HTTP {status}: it leads elsewhere, which is not followed"))
        }
        (Some(0), Ok(_)) => Sent::Failed(format!("HTTP {status}")),
        _ => {
            // curl's own words name hosts and addresses, and no more.
            let words = ran.stderr.lines().next().unwrap_or_default();
            Sent::Retry(format!("curl: {}: {words}", ran.ending()))
        }
    })
}

/// The addresses of a host, as the system knows them; `None` where it knows none.
fn resolve(url: &Url, path: &str, env: &Vars) -> Result<Option<Vec<IpAddr>>> {
    if let Some(address) = url.address() {
        return Ok(Some(vec![address]));
    }
    let getent = system::find("getent", path)?;
    let ran = child::run(&getent, &["ahosts", &url.host], env, b"", limits::RESOLVE_WAIT)?;
    let found = addresses(&ran.stdout);
    Ok((!found.is_empty()).then_some(found))
}

/// The first word of each line, each once.
fn addresses(printed: &str) -> Vec<IpAddr> {
    let words = printed.lines().filter_map(|line| line.split_whitespace().next());
    let mut found: Vec<IpAddr> = Vec::new();
    for address in words.filter_map(|word| word.parse().ok()) {
        if !found.contains(&address) {
            found.push(address);
        }
    }
    found
}

/// The configuration that `curl` reads: a line for each option, its value in quotes.
fn config(call: &Call<'_>, addresses: &[IpAddr]) -> String {
    let Url { scheme, host, port, .. } = call.url;
    let pinned = addresses.iter().take(limits::ADDRESSES).map(|one| match one {
        IpAddr::V4(v4) => v4.to_string(),
        IpAddr::V6(v6) => format!("[{v6}]"),
    });
    let pinned = pinned.collect::<Vec<_>>().join(",");
    // Room for all of it: a buffer that grows leaves copies behind.
    let mut text = String::with_capacity(8 * 1024 + 2 * call.body.len());
    let mut put = |name: &str, value: &str| {
        text.push_str(name);
        text.push_str(" = \"");
        quote(value, &mut text);
        text.push_str("\"\n");
    };
    put("url", &call.url.text());
    put("proto", &format!("={scheme}"));
    // Of a name that is an address already there is nothing to look up.
    if call.url.address().is_none() {
        put("resolve", &format!("{host}:{port}:{pinned}"));
    }
    put("noproxy", "*");
    put("header", "Content-Type: application/json");
    put("header", "User-Agent: codepiper");
    // A server that wants to be asked first would cost a second.
    put("header", "Expect:");
    if let Some(token) = call.token {
        put("header", &Zeroizing::new(format!("Authorization: Bearer {}", token.expose())));
    }
    put("data-raw", call.body);
    put("output", "/dev/null");
    put("write-out", "%{http_code}");
    put("connect-timeout", &limits::WEBHOOK_CONNECT.as_secs().to_string());
    put("max-time", &limits::WEBHOOK_WAIT.as_secs().to_string());
    text.push_str("silent\nshow-error\ngloboff\n");
    text
}

/// A value between quotes, as `curl --config` reads it: these are all the escapes that it knows. A
/// NUL, which it cannot be given, is left out.
fn quote(value: &str, out: &mut String) {
    for c in value.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '"' => out.push_str("\\\""),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{b}' => out.push_str("\\v"),
            '\0' => {}
            c => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests;
