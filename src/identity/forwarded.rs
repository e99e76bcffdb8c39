//! Where a request came from when it came through proxies.
//!
//! - X1: a header that claims an address or a transport counts only when a trusted proxy sent it, and of the addresses
//!   only the last one that no trusted proxy has: whoever stands before that can write what it likes.

use std::net::{IpAddr, SocketAddr};

use http::HeaderMap;
use tarn_openapi::access::Transport;
use tarn_openapi::network::Network;

/// The sender of a request that `peer` sent.
pub(super) fn sender(peer: IpAddr, headers: &HeaderMap, proxies: &[Network]) -> (IpAddr, Transport) {
    let is_proxy = |address: IpAddr| proxies.iter().any(|range| range.contains(address));
    let mut sender = peer.to_canonical();
    if !is_proxy(sender) {
        return (sender, Transport::Plain);
    }
    for told in entries(headers, "x-forwarded-for").rev() {
        let Some(address) = address(told) else { break };
        sender = address.to_canonical();
        if !is_proxy(sender) {
            break;
        }
    }
    let encrypted = entries(headers, "x-forwarded-proto").next_back();
    let encrypted = encrypted.is_some_and(|scheme| scheme.eq_ignore_ascii_case("https"));
    (sender, if encrypted { Transport::Encrypted } else { Transport::Plain })
}

/// The entries of a list that may stand in several headers.
fn entries<'h>(headers: &'h HeaderMap, name: &'static str) -> impl DoubleEndedIterator<Item = &'h str> {
    let values = headers.get_all(name).iter();
    values.flat_map(|value| value.to_str().unwrap_or_default().split(',')).map(str::trim)
}

/// An address, with or without a port.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    bare.parse().ok().or_else(|| Some(text.parse::<SocketAddr>().ok()?.ip()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(peer: &str, headers: &[(&'static str, &str)], proxies: &[&str]) -> (String, Transport) {
        let headers = headers
            .iter()
            .map(|(name, value)| (http::HeaderName::from_static(name), value.parse().unwrap()))
            .collect::<Vec<_>>();
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(name, value);
        }
        let proxies: Vec<Network> = proxies.iter().map(|range| Network::parse(range).unwrap()).collect();
        let (address, transport) = sender(peer.parse().unwrap(), &map, &proxies);
        (address.to_string(), transport)
    }

    const FOR: &str = "x-forwarded-for";
    const PROTO: &str = "x-forwarded-proto";

    #[test]
    fn cve_2026_21862_what_a_header_claims_counts_only_from_a_trusted_proxy() {
        let claims = [(FOR, "10.0.0.1"), (PROTO, "https")];
        assert_eq!(from("203.0.113.9", &claims, &[]), ("203.0.113.9".into(), Transport::Plain));
        let other = ["198.51.100.0/24"];
        assert_eq!(from("203.0.113.9", &claims, &other), ("203.0.113.9".into(), Transport::Plain));
        let proxy = ["203.0.113.9"];
        assert_eq!(from("203.0.113.9", &claims, &proxy), ("10.0.0.1".into(), Transport::Encrypted));
        let peer = "::ffff:203.0.113.9";
        assert_eq!(from(peer, &claims, &proxy), ("10.0.0.1".into(), Transport::Encrypted));
    }

    #[test]
    fn of_the_addresses_told_the_last_that_is_no_proxys_counts() {
        let proxies = ["192.0.2.0/24", "2001:db8::/32"];
        for (told, expected) in [
            // What the sender wrote itself stands before what the proxy saw.
            (&["10.0.0.1, 203.0.113.7"][..], "203.0.113.7"),
            (&["10.0.0.1, 203.0.113.7, 192.0.2.8"], "203.0.113.7"),
            (&["10.0.0.1", "203.0.113.7,192.0.2.8"], "203.0.113.7"),
            (&["203.0.113.7:4711"], "203.0.113.7"),
            (&["[2001:db9::1]:4711"], "2001:db9::1"),
            (&["[2001:db9::1]"], "2001:db9::1"),
            (&["::ffff:203.0.113.7"], "203.0.113.7"),
            (&["192.0.2.8, 192.0.2.9"], "192.0.2.8"),
            (&["203.0.113.7, unknown"], "192.0.2.1"),
            (&["203.0.113.7, unknown, 192.0.2.8"], "192.0.2.8"),
            (&[""], "192.0.2.1"),
            (&[], "192.0.2.1"),
        ] {
            let headers: Vec<_> = told.iter().map(|value| (FOR, *value)).collect();
            assert_eq!(from("192.0.2.1", &headers, &proxies).0, expected, "{told:?}");
        }
    }

    #[test]
    fn the_nearest_proxy_tells_the_transport() {
        for (told, expected) in [
            (&["https"][..], Transport::Encrypted),
            (&["HTTPS"], Transport::Encrypted),
            (&["http"], Transport::Plain),
            (&["https, http"], Transport::Plain),
            (&["https", "http"], Transport::Plain),
            (&["http,https"], Transport::Encrypted),
            (&["wss"], Transport::Plain),
            (&[], Transport::Plain),
        ] {
            let headers: Vec<_> = told.iter().map(|value| (PROTO, *value)).collect();
            assert_eq!(from("192.0.2.1", &headers, &["192.0.2.1"]).1, expected, "{told:?}");
        }
    }
}
