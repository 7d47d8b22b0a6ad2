//! Writes the fields of a message by their numbers, straight from what is told.

use bytes::{BufMut, BytesMut};
use jiff::Timestamp;
use prost::encoding::{WireType, encode_key, encode_varint, encoded_len_varint, key_len, message};
use uuid::Uuid;

use super::time::timestamp;

/// Bytes that are asked for at once: `BytesMut` asks for as many again whenever they are used up.
const AT_ONCE: usize = 64 * 1024;

/// What all rows of an answer are packed into.
pub(super) fn buffer() -> BytesMut {
    BytesMut::with_capacity(AT_ONCE)
}

/// Appends fields to a message.
pub(super) struct Fields<'a>(pub(super) &'a mut BytesMut);

impl Fields<'_> {
    pub(super) fn text(&mut self, number: u32, text: &str) {
        encode_key(number, WireType::LengthDelimited, self.0);
        encode_varint(text.len() as u64, self.0);
        self.0.put_slice(text.as_bytes());
    }

    /// A text that is absent when empty.
    pub(super) fn text_unless_empty(&mut self, number: u32, text: &str) {
        if !text.is_empty() {
            self.text(number, text);
        }
    }

    pub(super) fn texts<T: AsRef<str>>(&mut self, number: u32, texts: &[T]) {
        for text in texts {
            self.text(number, text.as_ref());
        }
    }

    pub(super) fn uuid(&mut self, number: u32, uuid: &Uuid) {
        let mut written = Uuid::encode_buffer();
        self.text(number, uuid.hyphenated().encode_lower(&mut written));
    }

    /// A number that is absent when zero.
    pub(super) fn number(&mut self, number: u32, value: u64) {
        if value != 0 {
            encode_key(number, WireType::Varint, self.0);
            encode_varint(value, self.0);
        }
    }

    /// A value of an enumeration, of which ours are not negative.
    pub(super) fn enumerated(&mut self, number: u32, value: i32) {
        self.number(number, value.unsigned_abs().into());
    }

    pub(super) fn instant(&mut self, number: u32, at: Timestamp) {
        message::encode(number, &timestamp(at), self.0);
    }

    /// A message that `write` writes.
    pub(super) fn nested(&mut self, number: u32, write: impl FnOnce(&mut Fields<'_>)) {
        let begin = self.0.len();
        write(&mut Fields(self.0));
        // How long it is stands before it, and is known after it. Moving few bytes beats measuring them.
        let length = self.0.len() - begin;
        let room = key_len(number) + encoded_len_varint(length as u64);
        self.0.put_bytes(0, room);
        self.0.copy_within(begin..begin + length, begin + room);
        let mut before = &mut self.0[begin..begin + room];
        encode_key(number, WireType::LengthDelimited, &mut before);
        encode_varint(length as u64, &mut before);
    }
}
