//! A port of this machine that stays ours between the moment it is chosen and the moment the
//! server listens on it.

use std::io::{Error, Result};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::os::fd::OwnedFd;

use rustix::net::sockopt::set_socket_reuseport;
use rustix::net::{AddressFamily, SocketType, bind, getsockname, socket};

/// A port on loopback that nobody gets by chance. A server that shares its port
/// (`SO_REUSEPORT`) can listen on it: this socket never does.
#[derive(Debug)]
pub(crate) struct Port {
    number: u16,
    _held: OwnedFd,
}

impl Port {
    /// Takes a free one.
    pub(crate) fn take() -> Result<Self> {
        let held = socket(AddressFamily::INET, SocketType::STREAM, None)?;
        set_socket_reuseport(&held, true)?;
        bind(&held, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0))?;
        let address = SocketAddr::try_from(getsockname(&held)?)
            .map_err(|_| Error::other("the address of a socket on loopback is not one"))?;
        Ok(Self {
            number: address.port(),
            _held: held,
        })
    }

    pub(crate) fn number(&self) -> u16 {
        self.number
    }
}
