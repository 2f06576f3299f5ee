//! Who comes over the web, before and after it has shown that it is the person.

/// Where a web request came from, as far as that can be known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Visitor {
    /// The client's address without its port; behind a trusted proxy, the one that the proxy names.
    pub address: String,
    /// What it calls itself (User-Agent), printable and cut.
    pub agent: String,
    /// It came over TLS, to a trusted proxy.
    pub https: bool,
}
