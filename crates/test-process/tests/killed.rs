//! A killed process leaves neither its servers nor their folder behind.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a test fails by panicking"
)]

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use test_process::{Ending, Folder};

/// Set in the process that is to be killed.
const VICTIM: &str = "TEST_PROCESS_VICTIM";

/// What stands for a server.
const SERVER: &str = "echo $$ >id; exec sleep 3600";

#[test]
fn a_killed_process_leaves_neither_its_servers_nor_their_folder() {
    if std::env::var_os(VICTIM).is_some() {
        be_the_victim();
    }
    let (mut victim, folder) = victim();
    let server = id_of_server(&folder);
    assert!(runs(&server));
    victim.kill().unwrap();
    victim.wait().unwrap();
    let deadline = Instant::now() + Duration::from_secs(30);
    while folder.exists() {
        assert!(Instant::now() < deadline, "{} stays", folder.display());
        sleep(Duration::from_millis(20));
    }
    assert!(!runs(&server), "its server goes on");
}

/// Starts this test again as a process that can be killed, and the folder of its server.
fn victim() -> (Child, PathBuf) {
    let mut victim = Command::new(std::env::current_exe().unwrap())
        .args(["--nocapture", "--test-threads=1"])
        .env(VICTIM, "yes")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(victim.stdout.take().unwrap()).lines();
    let folder = lines
        .map(Result::unwrap)
        .find_map(|line| {
            line.split_once("folder=")
                .map(|(_, path)| PathBuf::from(path))
        })
        .expect("the victim says where its server is");
    (victim, folder)
}

fn id_of_server(folder: &Path) -> String {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let id = std::fs::read_to_string(folder.join("id")).unwrap_or_default();
        if id.ends_with('\n') {
            return id.trim().to_owned();
        }
        assert!(Instant::now() < deadline, "its server never ran");
        sleep(Duration::from_millis(20));
    }
}

fn be_the_victim() -> ! {
    let folder = Folder::new("test-process-").unwrap();
    let server = folder
        .start(
            Path::new("sh"),
            &["-c".to_owned(), SERVER.to_owned()],
            "log",
            Ending::AtOnce,
        )
        .unwrap();
    let _cleaner = folder.remove_after(&[&server]).unwrap();
    println!("folder={}", folder.path().display());
    loop {
        sleep(Duration::from_secs(1));
    }
}

fn runs(process: &str) -> bool {
    let asked = Command::new("kill").args(["-0", process]).output();
    asked.unwrap().status.success()
}
