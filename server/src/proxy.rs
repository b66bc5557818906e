//! Who really asked, and how, when a proxy stands between.

use std::net::{IpAddr, SocketAddr};

use http::{HeaderMap, HeaderName};
use ipnet::IpNet;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// The other end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer(pub SocketAddr);

/// Its connection is TLS, which ends here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OverTls;

impl Peer {
    /// Its address; an IPv4 address in IPv6 clothes is the IPv4 address.
    pub fn address(self) -> IpAddr {
        self.0.ip().to_canonical()
    }
}

/// The proxies whose word about scheme and client is believed. From anybody else, forwarded headers mean nothing.
#[derive(Clone, Debug, Default)]
pub struct TrustedProxies(Vec<IpNet>);

impl TrustedProxies {
    /// Those in these networks.
    pub fn new(networks: Vec<IpNet>) -> TrustedProxies {
        TrustedProxies(networks)
    }

    fn include(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(&address))
    }

    /// Whether the client used https: a trusted proxy says so, and no proxy before it says otherwise.
    pub fn is_https(&self, peer: Peer, headers: &HeaderMap) -> bool {
        let mut schemes = elements(headers, X_FORWARDED_PROTO).peekable();
        self.include(peer.address())
            && schemes.peek().is_some()
            && schemes.all(|scheme| scheme.eq_ignore_ascii_case("https"))
    }

    /// The client's address: the last in `X-Forwarded-For` that is no trusted proxy. Further left stands whatever
    /// the client wrote; an element that is no address ends the search.
    pub fn client(&self, peer: Peer, headers: &HeaderMap) -> IpAddr {
        let mut client = peer.address();
        let forwarded: Vec<&str> = elements(headers, X_FORWARDED_FOR).collect();
        for element in forwarded.into_iter().rev() {
            match element.parse::<IpAddr>() {
                Ok(before) if self.include(client) => client = before.to_canonical(),
                _ => break,
            }
        }
        client
    }
}

/// The elements of a list header, over all of its lines (RFC 9110 section 5.3).
fn elements(headers: &HeaderMap, name: HeaderName) -> impl Iterator<Item = &str> {
    let lines = headers.get_all(name).into_iter().map(|line| line.to_str().unwrap_or_default());
    lines.flat_map(|line| line.split(',')).map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trusted() -> TrustedProxies {
        TrustedProxies::new(vec!["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()])
    }

    fn peer(address: &str) -> Peer {
        Peer(SocketAddr::new(address.parse().unwrap(), 1))
    }

    fn headers(name: HeaderName, lines: &[&str]) -> HeaderMap {
        lines.iter().map(|line| (name.clone(), line.parse().unwrap())).collect()
    }

    #[test]
    fn only_a_trusted_proxy_says_https() {
        let https = |from, lines: &[&str]| trusted().is_https(peer(from), &headers(X_FORWARDED_PROTO, lines));
        assert!(https("10.1.2.3", &["https"]));
        assert!(https("::ffff:10.1.2.3", &["HTTPS"]));
        assert!(https("fd00::1", &["https, https"]));
        assert!(!https("11.1.2.3", &["https"]));
        assert!(!https("10.1.2.3", &[]));
        assert!(!https("10.1.2.3", &["http"]));
        assert!(!https("10.1.2.3", &["https, http"]));
        assert!(!https("10.1.2.3", &["https", "http"]));
        assert!(!https("10.1.2.3", &["https,"]));
    }

    #[test]
    fn the_client_is_the_last_address_that_is_no_trusted_proxy() {
        let client =
            |from, lines: &[&str]| trusted().client(peer(from), &headers(X_FORWARDED_FOR, lines)).to_string();
        assert_eq!(client("10.0.0.1", &["6.6.6.6, 1.2.3.4"]), "1.2.3.4");
        assert_eq!(client("10.0.0.1", &["6.6.6.6, 1.2.3.4, 10.0.0.2"]), "1.2.3.4");
        assert_eq!(client("10.0.0.1", &["6.6.6.6", "1.2.3.4"]), "1.2.3.4");
        assert_eq!(client("9.9.9.9", &["1.2.3.4"]), "9.9.9.9");
        assert_eq!(client("10.0.0.1", &["1.2.3.4, unknown"]), "10.0.0.1");
        assert_eq!(client("10.0.0.1", &[]), "10.0.0.1");
    }
}
