//! Reads what a user gives with `-f`.
