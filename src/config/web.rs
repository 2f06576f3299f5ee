//! What the web doors are told: where they listen, which origins are theirs, which proxies speak
//! for others. From flags, then `CODEPIPER_*` variables, then the bare names of the variables, then
//! `config.json`.
//!
//! | variable | `config.json` | what |
//! |---|---|---|
//! | `CODEPIPER_WEB` | `web` | open the web doors, as `--web` |
//! | `CODEPIPER_PORT` | `port` | of the dashboard, as `--port`; 3000 |
//! | `CODEPIPER_WS_PORT` | `wsPort` | of the WebSocket, as `--ws-port`; 9999 |
//! | `CODEPIPER_BIND` | `bind` | one more address to listen at, as `--bind` |
//! | `ALLOWED_ORIGINS` | `allowedOrigins` | more origins of the dashboard: `https://host[:port]` |
//! | `TRUST_PROXY_HEADERS` | `trustProxyHeaders` | believe `X-Forwarded-*` of trusted proxies |
//! | `TRUSTED_PROXIES` | `trustedProxies` | their addresses or networks; loopback |
//! | `FORCE_SECURE_COOKIES` | `forceSecureCookies` | cookies as over HTTPS, always |
//!
//! 1. What is not understood MUST be an error at the start: a setting that was meant to restrict
//!    must not be skipped.

use crate::base::error::{Error, Result};
use crate::base::json;
use crate::config::origin::Origin;
use serde_json::Map;
use serde_json::Value;
use std::net::IpAddr;
use std::path::Path;

/// The ports of the user's documentation.
const PORT: u16 = 3000;
const WS_PORT: u16 = 9999;

/// What the command line says about the web doors.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Flags {
    /// `--web`.
    pub web: bool,
    /// `--port`.
    pub port: Option<String>,
    /// `--ws-port`.
    pub ws_port: Option<String>,
    /// `--bind`.
    pub bind: Option<String>,
}

/// The web doors' configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Web {
    /// Of the dashboard and its API.
    pub port: u16,
    /// Of the WebSocket alone.
    pub ws_port: u16,
    /// Beside the loopback addresses.
    pub bind: Option<IpAddr>,
    /// Beside those of the loopback addresses.
    pub origins: Vec<Origin>,
    /// Whose forwarded headers are believed; empty when nobody's are.
    pub proxies: Vec<Net>,
    /// Cookies are for HTTPS, whatever a request came through.
    pub force_secure: bool,
}

/// A network of addresses: those that share its first `bits`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Net {
    address: IpAddr,
    bits: u32,
}

impl Net {
    /// Reads an address, or `address/bits`.
    pub fn parse(text: &str) -> Option<Net> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().ok()?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.map_or(Some(most), |bits| bits.parse().ok().filter(|b| *b <= most))?;
        Some(Net { address, bits })
    }

    /// Whether `address` is in it.
    pub fn holds(self, address: IpAddr) -> bool {
        fn same<const N: usize>(a: [u8; N], b: [u8; N], bits: u32) -> bool {
            (0..bits as usize).all(|at| (a[at / 8] ^ b[at / 8]) & (0x80 >> (at % 8)) == 0)
        }
        match (self.address, address) {
            (IpAddr::V4(a), IpAddr::V4(b)) => same(a.octets(), b.octets(), self.bits),
            (IpAddr::V6(a), IpAddr::V6(b)) => same(a.octets(), b.octets(), self.bits),
            _ => false,
        }
    }
}

impl Web {
    /// Where the dashboard is. By address: what a name leads to may differ from what we hold.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/", self.port)
    }

    /// What flags, environment and `config.json` say together; `None` when the web doors stay
    /// closed. `Invalid` names what is not understood and where it stands.
    pub fn read(flags: &Flags, home: &Path) -> Result<Option<Web>> {
        let env = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let source = Source { env: &env, file: file(&home.join("config.json"))? };
        source.web(flags)
    }
}

struct Source<'a> {
    env: &'a dyn Fn(&str) -> Option<String>,
    file: Map<String, Value>,
}

impl Source<'_> {
    fn web(&self, flags: &Flags) -> Result<Option<Web>> {
        if !flags.web && !self.flag("WEB", "web")? {
            return match flags.port.is_some() || flags.ws_port.is_some() || flags.bind.is_some() {
                true => Err(Error::invalid("--port, --ws-port and --bind go with --web")),
                false => Ok(None),
            };
        }
        let port = self.port(flags.port.as_ref(), "PORT", "port", PORT)?;
        let ws_port = self.port(flags.ws_port.as_ref(), "WS_PORT", "wsPort", WS_PORT)?;
        if port == ws_port {
            return Err(Error::invalid(format!("--port and --ws-port are both {port}")));
        }
        let bind = match flags.bind.clone().or(self.text("BIND", "bind")?) {
            None => None,
            Some(text) => Some(text.parse().map_err(|_| {
                Error::invalid(format!("--bind takes an address such as 192.0.2.7, not {text:?}"))
            })?),
        };
        let origins = self.text("ALLOWED_ORIGINS", "allowedOrigins")?.unwrap_or_default();
        Ok(Some(Web {
            port,
            ws_port,
            bind: bind.filter(|ip: &IpAddr| !ip.is_loopback()),
            origins: Origin::list(&origins)?,
            proxies: self.proxies()?,
            force_secure: self.flag("FORCE_SECURE_COOKIES", "forceSecureCookies")?,
        }))
    }

    fn proxies(&self) -> Result<Vec<Net>> {
        if !self.flag("TRUST_PROXY_HEADERS", "trustProxyHeaders")? {
            return Ok(Vec::new());
        }
        let named = self.text("TRUSTED_PROXIES", "trustedProxies")?;
        let text = named.unwrap_or_else(|| "127.0.0.0/8,::1".to_string());
        let words = text.split([',', ' ']).filter(|word| !word.is_empty());
        let read = |word| {
            let wrong = || Error::invalid(format!("TRUSTED_PROXIES: {word:?} is no address"));
            Net::parse(word).ok_or_else(wrong)
        };
        words.map(read).collect()
    }

    fn port(&self, flag: Option<&String>, name: &str, key: &str, or: u16) -> Result<u16> {
        match flag.cloned().or(self.text(name, key)?) {
            None => Ok(or),
            Some(text) => text.parse().ok().filter(|port| *port > 0).ok_or_else(|| {
                Error::invalid(format!("{key} must be a number from 1 to 65535, not {text:?}"))
            }),
        }
    }

    fn flag(&self, name: &str, key: &str) -> Result<bool> {
        match self.text(name, key)?.map(|text| text.to_ascii_lowercase()).as_deref() {
            None | Some("0" | "false" | "no") => Ok(false),
            Some("1" | "true" | "yes") => Ok(true),
            Some(other) => {
                Err(Error::invalid(format!("{name} must be true or false, not {other:?}")))
            }
        }
    }

    /// `CODEPIPER_name`, else `name` where the user's text has it bare, else `key` of the file.
    fn text(&self, name: &str, key: &str) -> Result<Option<String>> {
        // A bare PORT or WEB belongs to somebody else's programs.
        const BARE: &[&str] =
            &["ALLOWED_ORIGINS", "TRUST_PROXY_HEADERS", "TRUSTED_PROXIES", "FORCE_SECURE_COOKIES"];
        let bare = || BARE.contains(&name).then(|| (self.env)(name)).flatten();
        if let Some(text) = (self.env)(&format!("CODEPIPER_{name}")).or_else(bare) {
            return Ok(Some(text));
        }
        match self.file.get(key) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(Value::Array(list)) if list.iter().all(Value::is_string) => {
                Ok(Some(list.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(",")))
            }
            Some(Value::Bool(flag)) => Ok(Some(flag.to_string())),
            Some(Value::Number(number)) => Ok(Some(number.to_string())),
            Some(_) => Err(Error::invalid(format!("config.json: {key:?} has a wrong type"))),
        }
    }
}

/// The object in `config.json`; empty where there is no such file.
fn file(path: &Path) -> Result<Map<String, Value>> {
    const KEYS: &[&str] = &[
        "web",
        "port",
        "wsPort",
        "bind",
        "allowedOrigins",
        "trustProxyHeaders",
        "trustedProxies",
        "forceSecureCookies",
    ];
    let shown = path.display();
    let bytes = match std::fs::read(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Map::new()),
        Err(error) => return Err(Error::invalid(format!("cannot read {shown}: {error}"))),
        Ok(bytes) => bytes,
    };
    let value =
        json::parse(&bytes).map_err(|e| Error::invalid(format!("{shown}: {}", e.message)))?;
    let Value::Object(map) = value else {
        return Err(Error::invalid(format!("{shown} must be a JSON object")));
    };
    match map.keys().find(|key| !KEYS.contains(&key.as_str())) {
        None => Ok(map),
        Some(key) => {
            let known = KEYS.join(", ");
            Err(Error::invalid(format!("{shown}: unknown key {key:?}; there are {known}")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(vars: &[(&str, &str)], file: &Value, flags: &Flags) -> Result<Option<Web>> {
        let vars: Vec<(String, String)> =
            vars.iter().map(|(n, v)| (n.to_string(), v.to_string())).collect();
        let env = |name: &str| vars.iter().find(|(n, _)| n == name).map(|(_, v)| v.clone());
        Source { env: &env, file: file.as_object().cloned().unwrap_or_default() }.web(flags)
    }

    fn on() -> Flags {
        Flags { web: true, ..Flags::default() }
    }

    #[test]
    fn flags_come_before_variables_and_these_before_the_file() {
        let file = json!({"port": 1, "wsPort": 2, "allowedOrigins": ["https://a"], "web": true});
        let web = read(&[], &file, &Flags::default()).unwrap().unwrap();
        assert_eq!((web.port, web.ws_port, web.origins.len()), (1, 2, 1));
        let vars = [("CODEPIPER_PORT", "3"), ("PORT", "9"), ("ALLOWED_ORIGINS", "https://b:1")];
        let web = read(&vars, &file, &on()).unwrap().unwrap();
        assert_eq!((web.port, web.origins[0].to_string()), (3, "https://b:1".to_string()));
        let flags = Flags { port: Some("4".to_string()), ..on() };
        assert_eq!(read(&vars, &file, &flags).unwrap().unwrap().port, 4);
        assert_eq!(read(&[], &json!({}), &Flags::default()).unwrap(), None);
        let web = read(&[], &json!({}), &on()).unwrap().unwrap();
        assert_eq!((web.port, web.ws_port, web.proxies.len()), (3000, 9999, 0));
    }

    #[test]
    fn a_setting_that_is_not_understood_is_an_error_that_names_it() {
        let wrong =
            |vars: &[(&str, &str)], file: Value| read(vars, &file, &on()).unwrap_err().message;
        assert!(wrong(&[("ALLOWED_ORIGINS", "pipe.example")], json!({})).contains("pipe.example"));
        assert!(wrong(&[("TRUST_PROXY_HEADERS", "maybe")], json!({})).contains("maybe"));
        let vars = [("TRUST_PROXY_HEADERS", "1"), ("TRUSTED_PROXIES", "10.0.0.0/33")];
        assert!(wrong(&vars, json!({})).contains("10.0.0.0/33"));
        assert!(wrong(&[("CODEPIPER_BIND", "eth0")], json!({})).contains("eth0"));
        assert!(wrong(&[], json!({"port": 70000})).contains("70000"));
        assert!(wrong(&[], json!({"port": 9999})).contains("both"));
        assert!(wrong(&[], json!({"allowedOrigins": {}})).contains("allowedOrigins"));
    }

    #[test]
    fn a_network_holds_what_shares_its_bits() {
        let holds = |net: &str, ip: &str| Net::parse(net).unwrap().holds(ip.parse().unwrap());
        assert!(holds("127.0.0.0/8", "127.9.9.9") && !holds("127.0.0.0/8", "128.0.0.1"));
        assert!(holds("10.1.2.3", "10.1.2.3") && !holds("10.1.2.3", "10.1.2.2"));
        assert!(
            holds("2001:db8::/33", "2001:db8:7fff::1")
                && !holds("2001:db8::/33", "2001:db8:8000::")
        );
        assert!(holds("0.0.0.0/0", "9.9.9.9") && !holds("0.0.0.0/0", "::1"));
    }
}
