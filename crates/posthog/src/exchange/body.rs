//! The body of an answer, read piece by piece within limits of time and size.

use bytes::Bytes;
use reqwest::Response;

use crate::cost::Call;
use crate::error::Error;
use crate::http::HttpConfig;

/// A body that has not been read yet, decompressed as it is read.
pub(crate) struct Body<'a> {
    response: Response,
    request: &'static str,
    config: &'a HttpConfig,
    limit: u64,
    received: u64,
    call: &'a Call<'a>,
}

impl<'a> Body<'a> {
    pub(crate) fn new(
        response: Response,
        request: &'static str,
        config: &'a HttpConfig,
        limit: u64,
        call: &'a Call<'a>,
    ) -> Self {
        Self {
            response,
            request,
            config,
            limit,
            received: 0,
            call,
        }
    }

    /// The next piece; none at the end.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        let idle = self.config.idle_timeout;
        let piece = tokio::time::timeout(idle, self.response.chunk())
            .await
            .map_err(|_| Error::Timeout {
                request: self.request.to_owned(),
                reason: format!("its body stood still for {idle:?}"),
            })?
            .map_err(|_| Error::Truncated {
                request: self.request.to_owned(),
            })?;
        if let Some(piece) = &piece {
            self.call.received(piece.len());
            self.received += piece.len() as u64;
            if self.received > self.limit {
                return Err(Error::TooLarge {
                    request: self.request.to_owned(),
                    limit: self.limit,
                });
            }
        }
        Ok(piece)
    }

    /// The whole body.
    pub(crate) async fn whole(mut self) -> Result<Vec<u8>, Error> {
        let mut whole = Vec::new();
        while let Some(piece) = self.next().await? {
            whole.extend_from_slice(&piece);
        }
        Ok(whole)
    }

    /// As much of the body as can be read.
    pub(crate) async fn beginning(mut self) -> Vec<u8> {
        let mut beginning = Vec::new();
        while let Ok(Some(piece)) = self.next().await {
            beginning.extend_from_slice(&piece);
        }
        beginning
    }
}
