//! A caller that takes pages without unpacking them, as pgbench takes rows: the server is what is
//! measured.

use bytes::Buf;
use grpc::proto::v1::ListMappedEventsRequest;
use prost::Message;
use tonic::client::Grpc;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status};

use crate::Outcome;

const METHOD: &str = "/ordinary.posthog.v1.EventService/ListMappedEvents";

/// A connection to a server.
pub(super) struct Caller(Grpc<Channel>);

impl Caller {
    /// Connects.
    pub(super) async fn connect(url: &str) -> Outcome<Self> {
        let channel = Endpoint::from_shared(url.to_owned())?.connect().await?;
        Ok(Self(Grpc::new(channel)))
    }

    /// Asks for a page of mapped events; returns the bytes of the answer.
    pub(super) async fn page(
        &mut self,
        request: &ListMappedEventsRequest,
    ) -> Result<usize, Status> {
        let ready = self.0.ready().await;
        ready.map_err(|error| Status::unavailable(error.to_string()))?;
        let method = PathAndQuery::from_static(METHOD);
        let request = Request::new(request.clone());
        Ok(self.0.unary(request, method, Packed).await?.into_inner())
    }
}

/// Packs requests, and counts the bytes of answers.
struct Packed;

impl Codec for Packed {
    type Encode = ListMappedEventsRequest;
    type Decode = usize;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Packed {
    type Item = ListMappedEventsRequest;
    type Error = Status;

    fn encode(&mut self, request: Self::Item, to: &mut EncodeBuf<'_>) -> Result<(), Status> {
        request
            .encode(to)
            .map_err(|error| Status::internal(error.to_string()))
    }
}

impl Decoder for Packed {
    type Item = usize;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<usize>, Status> {
        let bytes = from.remaining();
        from.advance(bytes);
        Ok(Some(bytes))
    }
}
