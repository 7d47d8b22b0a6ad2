//! Which file systems SQLite must not lie on: its locks and its shared memory do not work over a
//! network, and two hosts would destroy the file (<https://sqlite.org/useovernet.html>).

use std::path::Path;

/// What a file system on the network is called, if `folder` lies on one. What cannot be found
/// out is taken for local.
#[cfg(target_os = "linux")]
pub(super) fn on_network(folder: &Path) -> Option<&'static str> {
    let found = rustix::fs::statfs(folder).ok()?;
    // The kernel's type is signed on some architectures; the magic numbers are 32 bits wide.
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::unnecessary_cast
    )]
    network_name(found.f_type as u32)
}

/// Elsewhere than on Linux it cannot be told without unsafe code.
#[cfg(not(target_os = "linux"))]
pub(super) fn on_network(_folder: &Path) -> Option<&'static str> {
    None
}

/// The name of a network file system by its magic number (linux/magic.h, statfs(2)).
#[cfg_attr(not(target_os = "linux"), allow(dead_code))]
fn network_name(magic: u32) -> Option<&'static str> {
    Some(match magic {
        0x0000_6969 => "NFS",
        0xff53_4d42 => "CIFS",
        0xfe53_4d42 => "SMB2",
        0x0000_517b => "SMB",
        0x0000_564c => "NCP",
        0x5346_414f | 0x6b41_4653 => "AFS",
        0x7375_7245 => "Coda",
        0x00c3_6400 => "Ceph",
        0x0bd0_0bd0 => "Lustre",
        0x0102_1997 => "9P",
        0x1980_0202 => "GlusterFS",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn network_file_systems_are_known_by_number_and_local_ones_pass() {
        assert_eq!(network_name(0x6969), Some("NFS"));
        assert_eq!(network_name(0xff53_4d42), Some("CIFS"));
        for local in [0xef53, 0x5846_5342, 0x9123_683e, 0x0102_1994, 0x794c_7630] {
            assert_eq!(network_name(local), None, "{local:x}");
        }
    }

    #[test]
    fn a_folder_that_is_not_there_is_taken_for_local() {
        assert_eq!(on_network(Path::new("no/such/folder")), None);
    }
}
