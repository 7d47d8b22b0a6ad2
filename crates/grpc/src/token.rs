//! Page and resume tokens: where to go on, signed.
//!
//! A token holds the key of the last row that was answered, never an offset. The next page is
//! then one seek into an index, as cheap on the thousandth page as on the first; rows that come
//! and go meanwhile shift nothing, so whatever existed all along is answered exactly once; and
//! the server remembers nothing between pages, so any replica can answer the next one and nobody
//! can exhaust it by leaving listings half-read.
//!
//! A key alone would be accepted anywhere. So a token also says which method gave it, for which
//! arguments (all but the page's size), from which life of which epoch, under which revision of the mapping,
//! and is signed with HMAC-SHA256 by a key that every replica finds in the store. A token that
//! was altered or carried to another request is `TOKEN_INVALID`: a mistake of the caller's. One
//! whose epoch, life or revision is past is `TOKEN_STALE`: nobody's mistake, and the listing must begin
//! again, for its first pages were of another state. Tokens grant nothing; every call is checked
//! as if it had none.
//!
//! The newest key signs and every listed key verifies, so that keys can be rotated while tokens
//! are about.

use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::storage::{ConnectionStore, EpochRecord};
use hmac::{Hmac, KeyInit, Mac};
use prost::Message;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tokio::sync::RwLock;
use uuid::Uuid;

use crate::errors::ApiError;

/// The form of what is signed; another one is another version.
const VERSION: u8 = 1;
/// The longest token that is looked at. The longest cursor names a link from one id of
/// [`domain::identity::MAX_ID_BYTES`] to another by a property of 200 characters: about 12 KB in the
/// worst spelling. A distinct id that is longer has no such links, and is named by a number.
const MAX_LENGTH: usize = 16 * 1024;
/// Bytes of an HMAC-SHA256.
const SIGNATURE: usize = 32;
/// How long keys are kept before the store is asked again.
const KEYS_KEPT: Duration = Duration::from_secs(60);
/// How long keys are kept when a signature is unknown: another replica may have a newer key.
const KEYS_KEPT_IN_DOUBT: Duration = Duration::from_secs(1);

/// To what a token is bound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Scope {
    field: &'static str,
    method: &'static str,
    arguments: String,
    epoch: Uuid,
    life: i64,
    revision: i64,
}

impl Scope {
    /// A page token of `method`. `arguments` is the request without page size and token.
    pub(crate) fn page(
        method: &'static str,
        arguments: &impl Message,
        epoch: Option<&EpochRecord>,
    ) -> Self {
        Self {
            field: "page_token",
            method,
            arguments: digest(arguments),
            epoch: epoch.map_or(Uuid::nil(), |epoch| epoch.id.0),
            life: epoch.map_or(0, |epoch| epoch.life),
            revision: epoch.map_or(0, |epoch| epoch.mapping_revision),
        }
    }

    /// A resume token of `method`. It outlives changes of the mapping, which reach followers as
    /// changes of events.
    pub(crate) fn resume(
        method: &'static str,
        arguments: &impl Message,
        epoch: &EpochRecord,
    ) -> Self {
        Self {
            field: "resume_token",
            method,
            arguments: digest(arguments),
            epoch: epoch.id.0,
            life: epoch.life,
            revision: 0,
        }
    }

    /// The same, but stale once what `revision` stands for is another.
    pub(crate) fn under(self, revision: i64) -> Self {
        Self { revision, ..self }
    }

    fn invalid(&self) -> ApiError {
        ApiError::TokenInvalid { field: self.field }
    }

    /// The error of a token that cannot be continued.
    pub(crate) fn stale(&self) -> ApiError {
        ApiError::TokenStale { field: self.field }
    }
}

/// The first 64 bits of a hash, for a cursor or a revision: enough to notice a change by.
pub(crate) fn first_bits(hash: &[u8]) -> u64 {
    let first = hash.iter().take(8);
    first.fold(0, |number, byte| (number << 8) | u64::from(*byte))
}

/// 128 bits of SHA-256: nobody gains by finding two requests alike.
fn digest(arguments: &impl Message) -> String {
    let hash = Sha256::digest(arguments.encode_to_vec());
    URL_SAFE_NO_PAD.encode(&hash[..16])
}

/// What is signed.
#[derive(Serialize, Deserialize)]
struct Claims<C> {
    v: u8,
    m: String,
    a: String,
    e: Uuid,
    /// Tokens of a version that knew no lives have none, and are of any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    l: Option<i64>,
    r: i64,
    c: C,
}

type Keys = Arc<[Vec<u8>]>;

/// The keys that sign and verify, as the store last told them.
#[derive(Debug, Default)]
pub(crate) struct TokenKeys {
    loaded: RwLock<Option<(Instant, Keys)>>,
}

impl TokenKeys {
    /// A token of `scope` that goes on after `cursor`.
    pub(crate) async fn sign<S: ConnectionStore + ?Sized>(
        &self,
        store: &S,
        scope: &Scope,
        cursor: &impl Serialize,
    ) -> Result<String, ApiError> {
        let keys = self.keys(store, KEYS_KEPT).await?;
        let key = keys.first().ok_or_else(|| ApiError::Internal {
            detail: "the store has no key for page tokens".to_owned(),
        })?;
        seal(key, scope, cursor)
    }

    /// The cursor of `token`, if it was given in this scope.
    pub(crate) async fn verify<S: ConnectionStore + ?Sized, C: DeserializeOwned>(
        &self,
        store: &S,
        scope: &Scope,
        token: &str,
    ) -> Result<C, ApiError> {
        let keys = self.keys(store, KEYS_KEPT).await?;
        match unseal(&keys, scope, token) {
            Err(ApiError::TokenInvalid { .. }) => {
                let keys = self.keys(store, KEYS_KEPT_IN_DOUBT).await?;
                unseal(&keys, scope, token)
            }
            known => known,
        }
    }

    async fn keys<S: ConnectionStore + ?Sized>(
        &self,
        store: &S,
        kept: Duration,
    ) -> Result<Keys, ApiError> {
        if let Some((at, keys)) = &*self.loaded.read().await
            && at.elapsed() < kept
        {
            return Ok(Arc::clone(keys));
        }
        let keys: Keys = store.page_token_keys().await?.into();
        *self.loaded.write().await = Some((Instant::now(), Arc::clone(&keys)));
        Ok(keys)
    }
}

fn mac(key: &[u8], payload: &[u8]) -> Result<Hmac<Sha256>, ApiError> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).map_err(|error| ApiError::Internal {
        detail: format!("a key for page tokens cannot be used: {error}"),
    })?;
    mac.update(payload);
    Ok(mac)
}

fn seal(key: &[u8], scope: &Scope, cursor: &impl Serialize) -> Result<String, ApiError> {
    let claims = Claims {
        v: VERSION,
        m: scope.method.to_owned(),
        a: scope.arguments.clone(),
        e: scope.epoch,
        l: Some(scope.life),
        r: scope.revision,
        c: cursor,
    };
    let mut sealed = serde_json::to_vec(&claims).map_err(|error| ApiError::Internal {
        detail: format!("a page token cannot be written: {error}"),
    })?;
    let signature = mac(key, &sealed)?.finalize().into_bytes();
    sealed.extend_from_slice(&signature);
    Ok(URL_SAFE_NO_PAD.encode(sealed))
}

fn unseal<C: DeserializeOwned>(
    keys: &[Vec<u8>],
    scope: &Scope,
    token: &str,
) -> Result<C, ApiError> {
    if token.len() > MAX_LENGTH {
        return Err(scope.invalid());
    }
    let sealed = URL_SAFE_NO_PAD.decode(token).map_err(|_| scope.invalid())?;
    let Some(end) = sealed.len().checked_sub(SIGNATURE) else {
        return Err(scope.invalid());
    };
    let (payload, signature) = sealed.split_at(end);
    let mut known = false;
    for key in keys {
        known |= mac(key, payload)?.verify_slice(signature).is_ok();
    }
    if !known {
        return Err(scope.invalid());
    }
    // Signed by us, so only another version or method fails from here on. The cursor is read
    // last: its form is the method's own.
    let claims: Claims<serde_json::Value> =
        serde_json::from_slice(payload).map_err(|_| scope.invalid())?;
    if claims.v != VERSION || claims.m != scope.method || claims.a != scope.arguments {
        return Err(scope.invalid());
    }
    let is_other_life = claims.l.is_some_and(|life| life != scope.life);
    if claims.e != scope.epoch || is_other_life || claims.r != scope.revision {
        return Err(scope.stale());
    }
    serde_json::from_value(claims.c).map_err(|_| scope.invalid())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn scope(method: &'static str, revision: i64) -> Scope {
        Scope {
            field: "page_token",
            method,
            arguments: digest(&"acme".to_owned()),
            epoch: Uuid::from_u128(1),
            life: 1,
            revision,
        }
    }

    fn keys(bytes: &[u8]) -> Vec<Vec<u8>> {
        bytes.iter().map(|byte| vec![*byte; 32]).collect()
    }

    #[test]
    fn a_cursor_of_the_longest_ids_fits_into_a_token() {
        // The worst spelling in JSON: six bytes for one character.
        let longest = "\u{1}".repeat(2 * domain::identity::MAX_ID_BYTES + 200);
        let token = seal(&[1; 32], &scope("List", 1), &longest).unwrap();
        assert_eq!(
            unseal::<String>(&keys(&[1]), &scope("List", 1), &token),
            Ok(longest)
        );
    }

    #[test]
    fn another_revision_is_stale_and_another_method_is_invalid() {
        let token = seal(&[1; 32], &scope("List", 1), &7).unwrap();
        let read = |scope: Scope| unseal::<i32>(&keys(&[1]), &scope, &token);
        assert_eq!(read(scope("List", 1)), Ok(7));
        assert_eq!(read(scope("List", 2)), Err(scope("List", 2).stale()));
        assert_eq!(read(scope("Get", 1)), Err(scope("Get", 1).invalid()));
    }

    #[test]
    fn another_life_is_stale_and_a_token_that_names_none_is_of_any() {
        let token = seal(&[1; 32], &scope("List", 1), &7).unwrap();
        let reborn = Scope {
            life: 2,
            ..scope("List", 1)
        };
        let read = |token: &str| unseal::<i32>(&keys(&[1]), &reborn, token);
        assert_eq!(read(&token), Err(reborn.stale()));

        let mut sealed = URL_SAFE_NO_PAD.decode(token).unwrap();
        sealed.truncate(sealed.len() - SIGNATURE);
        let mut claims: serde_json::Value = serde_json::from_slice(&sealed).unwrap();
        assert_eq!(claims.as_object_mut().unwrap().remove("l"), Some(1.into()));
        let mut sealed = serde_json::to_vec(&claims).unwrap();
        let signature = mac(&[1; 32], &sealed).unwrap().finalize().into_bytes();
        sealed.extend_from_slice(&signature);
        assert_eq!(read(&URL_SAFE_NO_PAD.encode(sealed)), Ok(7));
    }

    proptest! {
        #[test]
        fn what_was_sealed_is_read_by_any_listed_key(cursor: (i64, String), key in 0u8..4) {
            let token = seal(&[key; 32], &scope("List", 1), &cursor).unwrap();
            let read = unseal(&keys(&[0, 1, 2, 3]), &scope("List", 1), &token);
            prop_assert_eq!(read, Ok(cursor));
        }

        #[test]
        fn one_bit_flipped_anywhere_is_refused(cursor: String, place: prop::sample::Index, bit in 0u8..8) {
            let token = seal(&[1; 32], &scope("List", 1), &cursor).unwrap();
            let mut sealed = URL_SAFE_NO_PAD.decode(token).unwrap();
            let place = place.index(sealed.len());
            sealed[place] ^= 1 << bit;
            let altered = URL_SAFE_NO_PAD.encode(sealed);
            let read = unseal::<String>(&keys(&[1]), &scope("List", 1), &altered);
            prop_assert_eq!(read, Err(scope("List", 1).invalid()));
        }

        #[test]
        fn no_text_makes_reading_fail_in_another_way(token in ".{0,200}") {
            let read = unseal::<String>(&keys(&[1]), &scope("List", 1), &token);
            prop_assert_eq!(read, Err(scope("List", 1).invalid()));
        }
    }
}
