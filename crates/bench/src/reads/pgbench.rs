//! pgbench with a statement that the store has just sent.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use test_postgres::Server;

use crate::Outcome;

/// How the server's log begins a statement with parameters, and then the parameters.
const STATEMENT: &str = "execute <unnamed>: SELECT e.uuid";
const PARAMETERS: &str = "arameters: ";

/// A script for pgbench: one statement, its parameters put in.
pub(super) struct Script(PathBuf);

impl Script {
    /// Takes the last page of events out of a server's log.
    pub(super) fn of_last_page(log: &str, folder: &Path) -> Outcome<Self> {
        let at = log
            .rfind(STATEMENT)
            .ok_or("the server logged no page of events")?;
        let logged = &log[at + "execute <unnamed>: ".len()..];
        let (statement, rest) = logged
            .split_once("DETAIL:")
            .ok_or("the server logged no parameters")?;
        // Further lines of a statement begin with a tab, and the next entry with its time.
        let lines = statement.lines().enumerate();
        let lines = lines.filter(|(at, line)| *at == 0 || line.starts_with('\t'));
        let mut sql: String = lines
            .map(|(_, line)| line.trim())
            .collect::<Vec<_>>()
            .join(" ");
        let (_, parameters) = rest
            .split_once(PARAMETERS)
            .ok_or("the server logged no parameters")?;
        let parameters = parameters.lines().next().unwrap_or("");
        let parameters: Vec<&str> = parameters.split(", $").collect();
        for (index, parameter) in parameters.iter().enumerate().rev() {
            let value = parameter
                .split_once(" = ")
                .ok_or("a parameter has no value")?
                .1;
            sql = sql.replace(&format!("${}", index + 1), value);
        }
        let path = folder.join("page.sql");
        std::fs::write(&path, format!("{sql};\n"))?;
        Ok(Self(path))
    }

    /// How often a second so many connections run it, for so long.
    pub(super) fn run(
        &self,
        server: &Server,
        database: &str,
        connections: usize,
        time: Duration,
    ) -> Outcome<f64> {
        let ended = Command::new(server.binaries().program("pgbench"))
            .args(["--no-vacuum", "--username=postgres"])
            .arg(format!("--host={}", server.socket().display()))
            .arg(format!("--client={connections}"))
            .arg(format!("--time={}", time.as_secs()))
            .arg(format!("--file={}", self.0.display()))
            .arg(database)
            .output()?;
        let said = String::from_utf8_lossy(&ended.stdout);
        let rate = said.lines().find_map(|line| line.strip_prefix("tps = "));
        let rate = rate.and_then(|rest| rest.split(' ').next()?.parse().ok());
        rate.ok_or_else(|| {
            let why = String::from_utf8_lossy(&ended.stderr);
            format!("pgbench failed: {said}{why}").into()
        })
    }
}
