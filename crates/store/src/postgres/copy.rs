//! Rows in the binary format of COPY
//! (<https://www.postgresql.org/docs/current/sql-copy.html>, "Binary Format").

use uuid::Uuid;

/// What a copy begins with: the signature, no flags, no extension.
const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";

/// Bytes sent at once: the server works on them while the next are put together.
pub(super) const CHUNK: usize = 256 * 1024;

/// Rows of a copy, one field after the other.
pub(super) struct Rows {
    bytes: Vec<u8>,
    columns: i16,
}

impl Rows {
    /// The beginning of a copy into that many columns; room for `capacity` bytes at first.
    pub(super) fn new(columns: i16, capacity: usize) -> Self {
        let mut bytes = Vec::with_capacity(capacity);
        bytes.extend_from_slice(HEADER);
        Self { bytes, columns }
    }

    /// Begins a row; as many fields as there are columns must follow.
    pub(super) fn row(&mut self) {
        self.bytes.extend_from_slice(&self.columns.to_be_bytes());
    }

    /// A `bigint`.
    pub(super) fn bigint(&mut self, value: i64) {
        self.field(&value.to_be_bytes());
    }

    /// A `smallint`.
    pub(super) fn smallint(&mut self, value: i16) {
        self.field(&value.to_be_bytes());
    }

    /// A `uuid`.
    pub(super) fn uuid(&mut self, value: &Uuid) {
        self.field(value.as_bytes());
    }

    /// A `text` without NUL.
    pub(super) fn text(&mut self, value: &str) {
        self.field(value.as_bytes());
    }

    /// A null of any type.
    pub(super) fn null(&mut self) {
        self.bytes.extend_from_slice(&(-1_i32).to_be_bytes());
    }

    /// A `text` or null.
    pub(super) fn text_or_null(&mut self, value: Option<&str>) {
        match value {
            Some(value) => self.text(value),
            None => self.null(),
        }
    }

    fn field(&mut self, value: &[u8]) {
        // PostgreSQL takes no field of 1 GiB, so none is cut here unnoticed: it is refused there.
        let length = i32::try_from(value.len()).unwrap_or(i32::MAX);
        self.bytes.extend_from_slice(&length.to_be_bytes());
        self.bytes.extend_from_slice(value);
    }

    /// Ends the copy.
    pub(super) fn end(&mut self) {
        self.bytes.extend_from_slice(&(-1_i16).to_be_bytes());
    }

    /// What is to be sent.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Forgets what was sent.
    pub(super) fn clear(&mut self) {
        self.bytes.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_has_a_header_its_rows_and_an_end() {
        let mut rows = Rows::new(3, 0);
        rows.row();
        rows.bigint(-2);
        rows.text("é");
        rows.null();
        rows.row();
        rows.smallint(258);
        rows.uuid(&Uuid::from_u128(1));
        rows.text_or_null(None);
        rows.end();
        let mut expected = b"PGCOPY\n\xff\r\n\0".to_vec();
        expected.extend([0; 8]);
        expected.extend([0, 3]);
        expected.extend([0, 0, 0, 8, 255, 255, 255, 255, 255, 255, 255, 254]);
        expected.extend([0, 0, 0, 2, 0xc3, 0xa9]);
        expected.extend([255, 255, 255, 255]);
        expected.extend([0, 3]);
        expected.extend([0, 0, 0, 2, 1, 2]);
        expected.extend([0, 0, 0, 16]);
        expected.extend(1_u128.to_be_bytes());
        expected.extend([255, 255, 255, 255]);
        expected.extend([255, 255]);
        assert_eq!(rows.bytes(), expected);
    }

    #[test]
    fn what_was_sent_is_not_sent_again() {
        let mut rows = Rows::new(1, 0);
        rows.clear();
        rows.row();
        rows.text("");
        assert_eq!(rows.bytes(), [0, 1, 0, 0, 0, 0]);
    }
}
