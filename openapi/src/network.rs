//! Ranges of addresses in CIDR notation: what policies compare with, and where recipients and proxies may be.

use std::net::IpAddr;

/// A range of addresses. An IPv4 address inside IPv6 counts as the IPv4 address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    bits: u32,
}

impl Network {
    /// Reads `203.0.113.0/24`, `2001:db8::/32` or a single address.
    pub fn parse(text: &str) -> Option<Self> {
        let (address, bits) = match text.split_once('/') {
            None => (text, None),
            Some((address, bits)) => (address, Some(bits)),
        };
        let written: IpAddr = address.parse().ok()?;
        let longest = if written.is_ipv4() { 32 } else { 128 };
        let bits: u32 = match bits {
            None => longest,
            Some(bits) if (1..=3).contains(&bits.len()) && bits.bytes().all(|b| b.is_ascii_digit()) => {
                bits.parse().ok().filter(|bits| *bits <= longest)?
            }
            Some(_) => return None,
        };
        // `::ffff:203.0.113.0/120` means the IPv4 range, or no IPv4 address would ever lie in it.
        match (written, written.to_canonical()) {
            (IpAddr::V6(_), IpAddr::V4(inside)) if bits >= 96 => {
                Some(Self { address: IpAddr::V4(inside), bits: bits - 96 })
            }
            _ => Some(Self { address: written, bits }),
        }
    }

    /// Whether an address lies in it.
    pub fn contains(&self, address: IpAddr) -> bool {
        let differs = match (self.address, address.to_canonical()) {
            (IpAddr::V4(net), IpAddr::V4(address)) => u128::from(net.to_bits() ^ address.to_bits()) << 96,
            (IpAddr::V6(net), IpAddr::V6(address)) => net.to_bits() ^ address.to_bits(),
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => return false,
        };
        differs.leading_zeros() >= self.bits
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use proptest::prelude::{any, prop_assert_eq, proptest};

    use super::*;

    #[test]
    fn a_range_holds_the_addresses_that_begin_as_it_does() {
        for (range, address, inside) in [
            ("203.0.113.0/24", "203.0.113.255", true),
            ("203.0.113.7/24", "203.0.113.1", true),
            ("203.0.113.0/24", "203.0.114.0", false),
            ("203.0.113.0/24", "::ffff:203.0.113.9", true),
            ("::ffff:203.0.113.0/120", "203.0.113.9", true),
            ("::ffff:203.0.113.0/120", "203.0.114.9", false),
            ("::ffff:203.0.113.9", "::ffff:203.0.113.9", true),
            ("203.0.113.7", "203.0.113.7", true),
            ("203.0.113.7", "203.0.113.8", false),
            ("0.0.0.0/0", "1.2.3.4", true),
            ("0.0.0.0/0", "2001:db8::1", false),
            ("2001:db8::/32", "2001:db8:ffff::1", true),
            ("2001:db8::/32", "2001:db9::1", false),
            ("::/0", "::1", true),
            ("::/0", "1.2.3.4", false),
        ] {
            let network = Network::parse(range).unwrap();
            assert_eq!(network.contains(address.parse().unwrap()), inside, "{range} {address}");
        }
    }

    #[test]
    fn what_is_no_range_is_not_read() {
        for bad in [
            "",
            "/",
            "1.2.3",
            "1.2.3.4/33",
            "::1/129",
            "1.2.3.4/",
            "1.2.3.4/-1",
            "1.2.3.4/+1",
            "a/8",
            " 1.2.3.4",
        ] {
            assert_eq!(Network::parse(bad), None, "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn a_range_holds_what_shares_its_first_bits(net: u32, address: u32, bits in 0u32..=32) {
            let network = Network::parse(&format!("{}/{bits}", Ipv4Addr::from_bits(net))).unwrap();
            let same = (0..bits).all(|at| (net ^ address) & (1 << (31 - at)) == 0);
            prop_assert_eq!(network.contains(Ipv4Addr::from_bits(address).into()), same);
            let mapped = Ipv4Addr::from_bits(address).to_ipv6_mapped();
            prop_assert_eq!(network.contains(mapped.into()), same);
        }

        #[test]
        fn any_text_is_read_or_refused(text in any::<String>(), address in any::<u128>()) {
            if let Some(network) = Network::parse(&text) {
                network.contains(Ipv6Addr::from_bits(address).into());
            }
        }
    }
}
