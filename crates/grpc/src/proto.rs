//! The generated messages and services, and their descriptors for reflection.

use bytes::Bytes;
use prost::{DecodeError, Message};

/// Package `ordinary.posthog.v1`; documented in `proto/ordinary/posthog/v1`.
#[allow(
    missing_docs,
    unreachable_pub,
    unused_qualifications,
    clippy::all,
    clippy::pedantic
)]
pub mod v1 {
    tonic::include_proto!("ordinary.posthog.v1");
}

impl v1::Event {
    /// The events of a page, whose answer holds them packed one by one.
    ///
    /// # Errors
    /// When one is no event.
    pub fn unpack(page: Vec<Bytes>) -> Result<Vec<Self>, DecodeError> {
        page.into_iter().map(Self::decode).collect()
    }
}

impl v1::ResolvedIdentity {
    /// The identities of an answer, which holds them packed one by one.
    ///
    /// # Errors
    /// When one is no identity.
    pub fn unpack(answer: Vec<Bytes>) -> Result<Vec<Self>, DecodeError> {
        answer.into_iter().map(Self::decode).collect()
    }
}

/// The encoded `FileDescriptorSet` of every file of the API and of what they import, with comments.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));
