use super::*;

fn host(given: &str) -> String {
    ApiHost::parse(given).unwrap().to_string()
}

#[test]
fn ingestion_hosts_become_the_hosts_of_the_private_api() {
    for (given, api) in [
        ("https://us.i.posthog.com", "https://us.posthog.com"),
        ("https://eu.i.posthog.com/", "https://eu.posthog.com"),
        ("https://app.posthog.com", "https://us.posthog.com"),
        ("https://us.posthog.com", "https://us.posthog.com"),
        (" https://EU.PostHog.com \n", "https://eu.posthog.com"),
        ("http://eu.i.posthog.com", "https://eu.posthog.com"),
        (
            "https://posthog.shop.example:8443/",
            "https://posthog.shop.example:8443",
        ),
        ("http://localhost:8000", "http://localhost:8000"),
        (
            "https://posthog.shop.example:443",
            "https://posthog.shop.example",
        ),
        (
            "https://us.i.posthog.com.evil.example",
            "https://us.i.posthog.com.evil.example",
        ),
    ] {
        assert_eq!(host(given), api, "{given}");
    }
}

#[test]
fn every_bad_host_is_refused_with_what_to_write_instead() {
    for (given, says) in [
        (
            "",
            "host is empty: write PostHog's address, such as https://eu.posthog.com",
        ),
        (
            " \n",
            "host is empty: write PostHog's address, such as https://eu.posthog.com",
        ),
        (
            "eu.posthog.com",
            "host \"eu.posthog.com\" has no scheme: write https://eu.posthog.com",
        ),
        (
            "ftp://eu.posthog.com",
            "host \"ftp://eu.posthog.com\" must begin with https://",
        ),
        (
            "https://ada:secret@eu.posthog.com",
            "host must not contain a user name or password: the key belongs in apiKeySecretRef",
        ),
        (
            "https://eu.posthog.com/project/1",
            "host \"https://eu.posthog.com/project/1\" must end after the host name: write https://eu.posthog.com",
        ),
        (
            "https://eu.posthog.com?x=1",
            "host \"https://eu.posthog.com?x=1\" must end after the host name: write https://eu.posthog.com",
        ),
        (
            "https://eu.posthog.com#x",
            "host \"https://eu.posthog.com#x\" must end after the host name: write https://eu.posthog.com",
        ),
        (
            "https://",
            "host \"https://\" is not a web address (empty host): write PostHog's address, such as https://eu.posthog.com",
        ),
    ] {
        assert_eq!(ApiHost::parse(given).unwrap_err().to_string(), says);
    }
}

#[test]
fn a_refused_host_never_repeats_a_password() {
    let error = ApiHost::parse("https://ada:hunter2@eu.posthog.com").unwrap_err();
    assert!(!format!("{error} {error:?}").contains("hunter2"));
}

#[test]
fn the_other_region_is_known_for_cloud_hosts_alone() {
    let other = |given| {
        ApiHost::parse(given)
            .unwrap()
            .other_region()
            .map(String::from)
    };
    assert_eq!(
        other("https://us.i.posthog.com").as_deref(),
        Some("https://eu.posthog.com")
    );
    assert_eq!(
        other("https://eu.posthog.com").as_deref(),
        Some("https://us.posthog.com")
    );
    assert_eq!(other("https://posthog.shop.example"), None);
}

#[test]
fn the_host_name_stands_without_scheme_and_port() {
    for (given, name) in [
        ("https://posthog.shop.example:8443", "posthog.shop.example"),
        ("http://127.0.0.1:80", "127.0.0.1"),
        ("http://[::1]:8000", "::1"),
        ("https://eu.i.posthog.com", "eu.posthog.com"),
    ] {
        assert_eq!(ApiHost::parse(given).unwrap().host_name(), name);
    }
    assert!(ApiHost::parse("http://localhost").unwrap().is_plain_http());
    assert!(!ApiHost::parse("https://localhost").unwrap().is_plain_http());
}

#[test]
fn a_host_survives_being_written_and_read() {
    let given = ApiHost::parse("https://us.i.posthog.com").unwrap();
    let text = serde_json::to_string(&given).unwrap();
    assert_eq!(text, "\"https://us.posthog.com\"");
    assert_eq!(serde_json::from_str::<ApiHost>(&text).unwrap(), given);
    assert!(serde_json::from_str::<ApiHost>("\"posthog\"").is_err());
}
