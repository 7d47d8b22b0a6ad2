//! Which file systems SQLite must not lie on: its locks and its shared memory do not work over a
//! network, and two hosts would destroy the file (<https://sqlite.org/useovernet.html>).

use std::path::Path;

/// What a file system on the network is called, if `folder` lies on one. What cannot be found
/// out is taken for local.
#[cfg(target_os = "linux")]
pub(super) fn on_network(folder: &Path) -> Option<&'static str> {
    match magic(folder)? {
        FUSE => {
            let mounts = std::fs::read_to_string("/proc/self/mountinfo").ok()?;
            fuse_name(&mounts, &device(folder)?)
        }
        magic => network_name(magic),
    }
}

/// Elsewhere than on Linux it cannot be told without unsafe code.
#[cfg(not(target_os = "linux"))]
pub(super) fn on_network(_folder: &Path) -> Option<&'static str> {
    None
}

/// The magic number of the file system that the kernel says `folder` lies on.
#[cfg(target_os = "linux")]
fn magic(folder: &Path) -> Option<u32> {
    let found = rustix::fs::statfs(folder).ok()?;
    // The kernel's type is signed on some architectures; the magic numbers are 32 bits wide.
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::unnecessary_cast
    )]
    Some(found.f_type as u32)
}

/// The device that `folder` lies on, as the list of mounts has it.
#[cfg(target_os = "linux")]
fn device(folder: &Path) -> Option<String> {
    let device = rustix::fs::stat(folder).ok()?.st_dev;
    let (major, minor) = (rustix::fs::major(device), rustix::fs::minor(device));
    Some(format!("{major}:{minor}"))
}

/// Programs serve these, over a network or from a disk: the list of mounts knows which.
#[cfg_attr(not(target_os = "linux"), allow(dead_code))]
const FUSE: u32 = 0x6573_5546;

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
        0x786f_4256 => "VirtualBox",
        _ => return None,
    })
}

/// The name of the network file system that a program serves on `device`, by the list of mounts:
/// the device is a line's third field, the type the first after a lone hyphen (proc(5)).
#[cfg_attr(not(target_os = "linux"), allow(dead_code))]
fn fuse_name(mounts: &str, device: &str) -> Option<&'static str> {
    let of_device = |line: &&str| line.split(' ').nth(2) == Some(device);
    let (_, after) = mounts.lines().find(of_device)?.split_once(" - ")?;
    Some(match after.split(' ').next()?.trim_start_matches("fuse.") {
        "sshfs" => "SSHFS",
        "glusterfs" => "GlusterFS",
        "ceph-fuse" | "ceph" => "Ceph",
        "s3fs" | "mountpoint-s3" | "goofys" => "S3",
        "gcsfuse" => "Cloud Storage FUSE",
        "blobfuse" | "blobfuse2" => "BlobFuse",
        "juicefs" => "JuiceFS",
        "seaweedfs" => "SeaweedFS",
        "rclone" => "rclone",
        "davfs" | "davfs2" => "WebDAV",
        "curlftpfs" => "FTP",
        "virtiofs" => "virtiofs",
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
    fn what_a_program_serves_is_known_by_its_mount() {
        let mounts = "\
22 28 0:21 / /proc rw,nosuid shared:12 - proc proc rw
31 28 0:52 / /srv/my\\040files rw,nosuid shared:15 - fuse.sshfs shop:/srv rw,user_id=0
32 28 8:17 / /mnt/stick rw,relatime shared:16 - fuseblk /dev/sdb1 rw,user_id=0
33 28 0:53 / /mnt/host rw,relatime - virtiofs host rw
34 28 0:54 / /mnt/pool rw,relatime - fuse.mergerfs a:b rw
";
        for (device, name) in [
            ("0:52", Some("SSHFS")),
            ("0:53", Some("virtiofs")),
            ("8:17", None),
            ("0:54", None),
            ("0:5", None),
        ] {
            assert_eq!(fuse_name(mounts, device), name, "{device}");
        }
    }

    /// The kernel mounts these two the same everywhere, so what it says of them is known.
    #[cfg(target_os = "linux")]
    #[test]
    fn the_kernel_says_what_a_folder_lies_on() {
        assert_eq!(magic(Path::new("/proc")), Some(0x9fa0));
        assert_eq!(magic(Path::new("/sys")), Some(0x6265_6572));
        let device = device(Path::new("/proc")).unwrap();
        let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
        let of_proc = format!(" {device} / /proc ");
        assert!(mounts.contains(&of_proc), "{of_proc}\n{mounts}");
    }

    #[test]
    fn a_folder_that_is_not_there_is_taken_for_local() {
        assert_eq!(on_network(Path::new("no/such/folder")), None);
    }
}
