//! Where a connection's key is found, and that a wrong one is told without being repeated.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

use std::ffi::OsString;
use std::path::PathBuf;

use documents::{Documents, KeySource, Loader, Refused};
use secrecy::{ExposeSecret, SecretString};

const CONNECTION: &str = "\
apiVersion: integrations.ordinary.dev/v1alpha1
kind: PostHogConnection
metadata:
  name: storefront
spec:
  host: https://eu.posthog.com
  projectId: 4242
  apiKeySecretRef: {name: posthog}
";

fn load_with(
    text: &str,
    variable: Option<(&'static str, &'static str)>,
) -> Result<Documents, Refused> {
    Loader::new(vec![PathBuf::from("-")])
        .with_environment(move |name| {
            variable
                .filter(|(known, _)| *known == name)
                .map(|(_, value)| OsString::from(value))
        })
        .with_stdin(SecretString::from(text))
        .load()
}

fn secret(body: &str) -> String {
    format!("{CONNECTION}---\napiVersion: v1\nkind: Secret\nmetadata: {{name: posthog}}\n{body}\n")
}

fn annotated(annotation: &str) -> String {
    CONNECTION.replace(
        "  name: storefront",
        &format!("  name: storefront\n  annotations: {{{annotation}}}"),
    )
}

fn key(loaded: &Documents) -> &str {
    loaded.connections[0].key.secret().expose_secret()
}

fn refused(result: Result<Documents, Refused>) -> String {
    let shown = result.expect_err("it was accepted").to_string();
    assert!(!shown.contains("secretvalue"), "a key is repeated: {shown}");
    shown
}

#[test]
fn a_key_is_read_from_plain_and_from_encoded_data() {
    let loaded = load_with(&secret("stringData: {apiKey: phx_secretvalue}"), None).unwrap();
    assert_eq!(key(&loaded), "phx_secretvalue");
    assert_eq!(loaded.warnings, []);
    assert_eq!(
        loaded.connections[0].key_source.to_string(),
        "Secret default/posthog, key apiKey"
    );
    // printf phx_other | base64, broken over two lines as some tools do.
    let loaded = load_with(&secret("data:\n  apiKey: |\n    cGh4X2\n    90aGVy"), None).unwrap();
    assert_eq!(key(&loaded), "phx_other");
    let both = "data: {apiKey: cGh4X290aGVy}\nstringData: {apiKey: phx_secretvalue}";
    assert_eq!(
        key(&load_with(&secret(both), None).unwrap()),
        "phx_secretvalue"
    );
}

#[test]
fn a_line_break_around_the_key_is_left_out_and_noted() {
    let loaded = load_with(
        &secret("stringData:\n  apiKey: |\n    phx_secretvalue"),
        None,
    )
    .unwrap();
    assert_eq!(key(&loaded), "phx_secretvalue");
    assert_eq!(
        loaded.warnings[0].to_string(),
        "standard input:14: stringData.apiKey: Secret default/posthog, key apiKey: white space or a line break around the API key was left out"
    );
    assert!(!format!("{loaded:?}").contains("secretvalue"));
}

#[test]
fn keys_of_the_wrong_kind_are_told_apart_and_never_repeated() {
    let place = "standard input:13: stringData.apiKey: Secret default/posthog, key apiKey: ";
    for (value, why) in [
        (
            "phc_secretvalue",
            "this is a project token (phc_…), which can only send events: create a personal API key (phx_…) in PostHog's settings",
        ),
        (
            "phs_secretvalue",
            "this is a project secret API key (phs_…), which cannot read events: create a personal API key (phx_…) in PostHog's settings",
        ),
        (
            "pha_secretvalue",
            "this is an OAuth token (pha_… or phr_…), which expires: create a personal API key (phx_…) in PostHog's settings",
        ),
        (
            "\"\"",
            "the API key is empty: put a personal API key (phx_…) there",
        ),
        (
            "\"  \"",
            "the API key is empty: put a personal API key (phx_…) there",
        ),
        (
            "phx_secret secretvalue",
            "the API key contains a space or a line break: copy it again, whole and alone",
        ),
        (
            "\"phx_a\\nsecretvalue\"",
            "the API key contains a space or a line break: copy it again, whole and alone",
        ),
        (
            "secretvalue",
            "this does not look like a PostHog personal API key, which is phx_ and then letters and digits: copy it again, whole and alone",
        ),
    ] {
        let result = load_with(&secret(&format!("stringData: {{apiKey: {value}}}")), None);
        assert!(
            result.as_ref().is_err_and(Refused::is_only_wrong_keys),
            "{value}"
        );
        assert_eq!(refused(result), format!("{place}{why}"));
    }
}

#[test]
fn a_wrong_kind_of_key_beside_another_problem_is_a_configuration_problem() {
    let text = secret("stringData: {apiKey: phc_secretvalue}") + "immutable: maybe\n";
    assert!(!load_with(&text, None).unwrap_err().is_only_wrong_keys());
}

#[test]
fn a_key_written_in_clear_under_data_is_told_without_repeating_it() {
    assert_eq!(
        refused(load_with(&secret("data: {apiKey: phx_secretvalue}"), None))
            .lines()
            .next(),
        Some(
            "standard input:13: data.apiKey: is not base64 of text: encode it, or write the plain value under stringData instead"
        )
    );
    assert_eq!(
        refused(load_with(
            &secret("stringdata: {apiKey: phx_secretvalue}"),
            None
        ))
        .lines()
        .next(),
        Some("standard input:13: stringdata: is not a field: did you mean stringData?")
    );
    assert!(
        refused(load_with(
            &secret("stringData: {apiKey: {phx_secretvalue: x}}"),
            None
        ))
        .starts_with("standard input:13: stringData.apiKey: must be text, not a group of fields\n")
    );
}

#[test]
fn broken_yaml_around_a_key_does_not_repeat_it() {
    for body in [
        "stringData: {apiKey: phx_secretvalue",
        "stringData: {apiKey: \"phx_secretvalue}",
        "stringData:\n  apiKey: phx_secretvalue: x",
        "stringData:\n\tapiKey: phx_secretvalue",
        "stringData: {apiKey: *phx_secretvalue}",
        "stringData: {apiKey: !!int phx_secretvalue}",
        "stringData: {apiKey: !!binary phx_secretvalue}",
        "phx_secretvalue: 1\nphx_secretvalue: 2",
        "phx_secretvalue",
    ] {
        refused(load_with(&secret(body), None));
    }
}

#[test]
fn a_missing_secret_or_entry_is_named_with_the_fix() {
    let nowhere = "standard input:8: spec.apiKeySecretRef.name: Secret default/posthog is not among the files";
    assert_eq!(
        refused(load_with(CONNECTION, None)),
        format!(
            "{nowhere}: add it, name a file or variable with the annotations posthog.ordinary.dev/api-key-file or posthog.ordinary.dev/api-key-env, or set ORDINARY_POSTHOG_API_KEY"
        )
    );
    let elsewhere = secret("stringData: {apiKey: phx_secretvalue}").replace(
        "{name: posthog}\nstringData",
        "{name: posthog, namespace: acme}\nstringData",
    );
    assert_eq!(
        refused(load_with(&elsewhere, None)),
        format!(
            "{nowhere}, only acme/posthog: a Secret must be in the connection's namespace, move it to default"
        )
    );
    let misspelt = secret("stringData: {apiKey: phx_secretvalue}").replace(
        "{name: posthog}\nstringData",
        "{name: post-hog}\nstringData",
    );
    assert_eq!(
        refused(load_with(&misspelt, None)),
        format!("{nowhere}: did you mean post-hog?")
    );
    let entry =
        "standard input:8: spec.apiKeySecretRef.key: Secret default/posthog has no key apiKey";
    for (body, fix) in [
        (
            "stringData: {api-key: phx_secretvalue}",
            ": did you mean api-key?",
        ),
        (
            "stringData: {value: phx_secretvalue}",
            ", only \"value\": add it, or name one of these",
        ),
        ("stringData: {}", ", it is empty: add it under stringData"),
    ] {
        assert_eq!(
            refused(load_with(&secret(body), None)),
            format!("{entry}{fix}")
        );
    }
}

#[test]
fn without_a_secret_the_common_variable_is_taken() {
    let variable = ("ORDINARY_POSTHOG_API_KEY", "phx_fromvariable");
    let loaded = load_with(CONNECTION, Some(variable)).unwrap();
    assert_eq!(key(&loaded), "phx_fromvariable");
    assert_eq!(
        loaded.connections[0].key_source,
        KeySource::Variable("ORDINARY_POSTHOG_API_KEY".to_owned())
    );
    let loaded = load_with(
        &secret("stringData: {apiKey: phx_secretvalue}"),
        Some(variable),
    )
    .unwrap();
    assert_eq!(key(&loaded), "phx_secretvalue");
    assert_eq!(
        refused(load_with(
            CONNECTION,
            Some(("ORDINARY_POSTHOG_API_KEY", "phc_secretvalue"))
        )),
        "standard input:8: spec.apiKeySecretRef: environment variable ORDINARY_POSTHOG_API_KEY: this is a project token (phc_…), which can only send events: create a personal API key (phx_…) in PostHog's settings"
    );
}

#[test]
fn an_annotation_names_a_variable() {
    let text = annotated("posthog.ordinary.dev/api-key-env: MY_KEY");
    assert_eq!(
        key(&load_with(&text, Some(("MY_KEY", "phx_mine"))).unwrap()),
        "phx_mine"
    );
    assert_eq!(
        refused(load_with(&text, None)),
        "standard input:5: metadata.annotations: posthog.ordinary.dev/api-key-env names the environment variable \"MY_KEY\", which is not set: set it to the API key"
    );
}

#[test]
fn an_annotation_names_a_file_beside_the_document() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("connection.yaml");
    std::fs::write(
        &file,
        annotated("posthog.ordinary.dev/api-key-file: ./key.txt"),
    )
    .unwrap();
    let mut loader = Loader::new(vec![file]);
    let missing = refused(loader.load()).replace(&folder.path().display().to_string(), "");
    assert_eq!(
        missing,
        "/connection.yaml:5: metadata.annotations: posthog.ordinary.dev/api-key-file names /./key.txt, which cannot be read (No such file or directory (os error 2)): put the API key there or change the annotation"
    );
    std::fs::write(folder.path().join("key.txt"), "phx_fromfile\r\n").unwrap();
    let loaded = loader.load().unwrap();
    assert_eq!(key(&loaded), "phx_fromfile");
    assert_eq!(loaded.warnings, []);
    assert_eq!(loader.watched().len(), 2);
    std::fs::write(folder.path().join("key.txt"), "phc_secretvalue\n").unwrap();
    let result = loader.load();
    assert!(result.as_ref().is_err_and(Refused::is_only_wrong_keys));
    assert!(refused(result).contains("key.txt: this is a project token"));
}

#[test]
fn a_wrong_key_is_told_together_with_a_wrong_field() {
    let text = secret("stringData: {apiKey: phc_secretvalue}").replace("4242", "0");
    let shown = refused(load_with(&text, None));
    let lines: Vec<_> = shown.lines().collect();
    assert_eq!(lines.len(), 2, "{shown}");
    assert!(lines[0].contains("spec.projectId: "), "{shown}");
    assert!(lines[1].contains("this is a project token"), "{shown}");
}

#[test]
fn two_annotations_for_one_key_are_refused() {
    let text =
        annotated("posthog.ordinary.dev/api-key-file: a, posthog.ordinary.dev/api-key-env: B");
    assert_eq!(
        refused(load_with(&text, Some(("B", "phx_b")))),
        "standard input:5: metadata.annotations: has both posthog.ordinary.dev/api-key-file and posthog.ordinary.dev/api-key-env: remove one of them"
    );
}

#[test]
fn a_changed_key_or_spec_makes_a_connection_differ_and_nothing_else_does() {
    let load = |text: &str| load_with(text, None).unwrap().connections.remove(0);
    let one = secret("stringData: {apiKey: phx_a}");
    let first = load(&one);
    assert!(!first.differs_from(&load(&format!("# a comment\n{one}"))));
    assert!(first.differs_from(&load(&one.replace("phx_a", "phx_b"))));
    assert!(first.differs_from(&load(&one.replace("4242", "4243"))));
}
