//! Rebuilds when a migration is added: `sqlx::migrate!` itself only notices changed files.

fn main() {
    println!("cargo::rerun-if-changed=migrations");
}
