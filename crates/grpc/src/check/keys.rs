//! Identity keys.

use domain::identity::IdentityKey;
use uuid::Uuid;

use super::names::shortened;
use crate::errors::ApiError;
use crate::proto::v1;
use crate::proto::v1::identity_key::Key;

/// The most keys of one request.
const MAX_KEYS: usize = 1_000;

/// The keys of a request, in its order.
pub(crate) fn check_keys(keys: &[v1::IdentityKey]) -> Result<Vec<IdentityKey>, ApiError> {
    if keys.is_empty() || keys.len() > MAX_KEYS {
        return Err(ApiError::field(
            "keys",
            format!("has {} entries: ask for 1 to {MAX_KEYS}", keys.len()),
        ));
    }
    keys.iter()
        .enumerate()
        .map(|(index, key)| check_key(&format!("keys[{index}]"), key))
        .collect()
}

/// Whose trail is asked for: any id, or a distinct id alone.
pub(crate) fn check_trail_key(
    key: Option<&v1::IdentityKey>,
    this_id_only: bool,
) -> Result<IdentityKey, ApiError> {
    let key = check_key("key", key.unwrap_or(&v1::IdentityKey { key: None }))?;
    if this_id_only && !matches!(key, IdentityKey::DistinctId(_)) {
        return Err(ApiError::field(
            "this_id_only",
            "is true, but events carry distinct ids alone: set key.distinct_id, or leave it out",
        ));
    }
    Ok(key)
}

/// One key of a request; `path` is where it stands.
pub(crate) fn check_key(path: &str, key: &v1::IdentityKey) -> Result<IdentityKey, ApiError> {
    let text = |kind: &str, value: &str| {
        if value.trim().is_empty() {
            Err(ApiError::field(
                format!("{path}.{kind}"),
                "is empty: write the id, or leave the key out",
            ))
        } else {
            Ok(value.to_owned())
        }
    };
    match &key.key {
        Some(Key::DistinctId(value)) => text("distinct_id", value).map(IdentityKey::DistinctId),
        Some(Key::PersonId(value)) => Uuid::parse_str(value).map(IdentityKey::Person).map_err(
            |_| {
                ApiError::field(
                    format!("{path}.person_id"),
                    format!(
                        "is {:?}, which is no uuid: write the person's uuid as PostHog shows it",
                        shortened(value)
                    ),
                )
            },
        ),
        Some(Key::CustomerId(value)) => text("customer_id", value).map(IdentityKey::CustomerId),
        Some(Key::AnonymousId(value)) => text("anonymous_id", value).map(IdentityKey::AnonymousId),
        Some(Key::Email(value)) => text("email", value).map(IdentityKey::Email),
        None => Err(ApiError::field(
            path,
            "names no id: set one of distinct_id, person_id, customer_id, anonymous_id and email",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(key: Key) -> v1::IdentityKey {
        v1::IdentityKey { key: Some(key) }
    }

    #[test]
    fn keys_that_name_nobody_are_refused_by_their_place() {
        let good = key(Key::DistinctId("a".into()));
        for bad in [
            v1::IdentityKey { key: None },
            key(Key::DistinctId(String::new())),
            key(Key::PersonId("not-a-uuid".into())),
            key(Key::Email(" ".into())),
        ] {
            let error = check_keys(&[good.clone(), bad]).unwrap_err().to_string();
            assert!(error.starts_with("keys[1]"), "{error}");
        }
    }

    #[test]
    fn a_trail_is_somebodys_or_of_one_distinct_id_alone() {
        let person = key(Key::PersonId(Uuid::nil().to_string()));
        assert!(check_trail_key(Some(&person), false).is_ok());
        let error = check_trail_key(Some(&person), true).unwrap_err();
        assert!(error.to_string().starts_with("this_id_only "), "{error}");
        assert!(check_trail_key(Some(&key(Key::DistinctId("a".into()))), true).is_ok());
        let error = check_trail_key(None, false).unwrap_err();
        assert!(error.to_string().starts_with("key names no id"), "{error}");
    }

    #[test]
    fn a_request_has_one_to_a_thousand_keys() {
        let good = key(Key::DistinctId("a".into()));
        assert!(check_keys(&[]).is_err());
        assert!(check_keys(&vec![good.clone(); 1_000]).is_ok());
        assert!(check_keys(&vec![good; 1_001]).is_err());
    }
}
