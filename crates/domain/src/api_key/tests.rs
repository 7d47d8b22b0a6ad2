use super::*;

fn parse(given: &str) -> Result<(ApiKey, bool), ApiKeyError> {
    ApiKey::parse(&SecretString::from(given))
}

const LEGACY: &str = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJ-_01234";

#[test]
fn personal_keys_are_taken_and_white_space_around_them_is_told() {
    for (given, trimmed) in [("phx_abc", false), ("phx_abc\n", true), (" phx_abc ", true)] {
        let (key, was_trimmed) = parse(given).unwrap();
        assert_eq!(key.secret().expose_secret(), "phx_abc");
        assert_eq!(was_trimmed, trimmed);
        assert!(key.is_prefixed());
    }
    let (legacy, _) = parse(LEGACY).unwrap();
    assert!(!legacy.is_prefixed());
}

#[test]
fn every_other_kind_of_key_is_told_apart() {
    let long = format!("{LEGACY}x");
    for (given, error) in [
        ("", ApiKeyError::Empty),
        (" \n\t", ApiKeyError::Empty),
        ("phx_a bc", ApiKeyError::Whitespace),
        ("phx_a\nphx_b", ApiKeyError::Whitespace),
        ("phx_a\u{0}", ApiKeyError::Whitespace),
        ("phc_abc", ApiKeyError::ProjectToken),
        ("phs_abc", ApiKeyError::ProjectSecretKey),
        ("pha_abc", ApiKeyError::OAuthToken),
        ("phr_abc", ApiKeyError::OAuthToken),
        ("phx_", ApiKeyError::Unknown),
        ("phx_ключ", ApiKeyError::Unknown),
        ("PHX_abc", ApiKeyError::Unknown),
        ("secret", ApiKeyError::Unknown),
        (&long, ApiKeyError::Unknown),
    ] {
        assert_eq!(
            parse(given).map(|(_, trimmed)| trimmed),
            Err(error),
            "{given:?}"
        );
    }
}

#[test]
fn a_key_never_shows_in_debug_output_or_errors() {
    let (key, _) = parse("phx_hunter2").unwrap();
    assert!(!format!("{key:?}").contains("hunter2"));
    for given in ["phc_hunter2", "phx_hunter2 x", "hunter2"] {
        let error = parse(given).map(|_| ()).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("hunter2"));
    }
}
