//! Which IP addresses lie on the public Internet.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Whether an address is public: not loopback, private, link-local, shared, reserved, multicast, nor
/// an IPv6 form that carries such an IPv4 address (IANA's special-purpose registries).
pub(crate) fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => is_public_v6(v6),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let special = matches!(
        (a, b, c),
        (0 | 10 | 127, _, _)
            | (100, 64..=127, _)
            | (169, 254, _)
            | (172, 16..=31, _)
            | (192, 0, 0 | 2)
            | (192, 88, 99)
            | (192, 168, _)
            | (198, 18..=19, _)
            | (198, 51, 100)
            | (203, 0, 113)
            | (224..=255, _, _)
    );
    !special
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let segments = address.segments();
    if let Some(v4) = carried_v4(segments) {
        return is_public_v4(v4);
    }
    // Only 2000::/3 is given out at all; within it these are special: documentation, Teredo,
    // benchmarking and ORCHID.
    let global = segments[0] & 0xe000 == 0x2000;
    let special = matches!((segments[0], segments[1]), (0x2001, 0..=0x1ff | 0xdb8))
        || (segments[0] == 0x3fff && segments[1] <= 0x0fff);
    global && !special
}

/// The IPv4 address that an IPv6 one leads to: mapped, NAT64 or 6to4.
fn carried_v4(s: [u16; 8]) -> Option<Ipv4Addr> {
    let join = |high: u16, low: u16| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    match s {
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            Some(join(high, low))
        }
        [0x2002, high, low, ..] => Some(join(high, low)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_of_the_public_internet_are_public() {
        let public = [
            "8.8.8.8",
            "172.15.0.1",
            "100.128.0.1",
            "2606:4700::1",
            "64:ff9b::808:808",
        ];
        let not = [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "127.0.0.1",
            "169.254.169.254",
            "172.31.9.9",
            "192.168.1.1",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "fe80::1",
            "fd00::1",
            "ff02::1",
            "::ffff:10.0.0.1",
            "64:ff9b::7f00:1",
            "2002:7f00:1::",
            "2001:db8::1",
            "::127.0.0.1",
        ];
        let judge = |text: &str| text.parse().map(is_public).ok();
        for address in public {
            assert_eq!(judge(address), Some(true), "{address}");
        }
        for address in not {
            assert_eq!(judge(address), Some(false), "{address}");
        }
    }
}
