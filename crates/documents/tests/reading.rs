//! What is loaded from documents, and in which words documents are refused.
//!
//! Long, for each thing that can be wrong with a document is one short test, and all share the writers below.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

use std::path::{Path, PathBuf};

use documents::{Documents, Loader, ProblemClass, Refused};
use domain::Plan;
use domain::plan::PlanStanding;
use secrecy::SecretString;

const SECRET: &str = "
---
apiVersion: v1
kind: Secret
metadata: {name: posthog}
stringData: {apiKey: phx_secretvalue}
";

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

fn load(text: impl AsRef<str>) -> Result<Documents, Refused> {
    Loader::new(vec![PathBuf::from("-")])
        .with_environment(|_| None)
        .with_stdin(SecretString::from(text.as_ref()))
        .load()
}

/// Each problem without `standard input:`, so that it begins with the line.
fn refused(text: impl AsRef<str>) -> Vec<String> {
    let refused = load(text).expect_err("it was accepted");
    let shown = refused.to_string();
    assert!(!shown.contains("phx_s"), "a key is repeated: {shown}");
    shown
        .lines()
        .map(|line| {
            line.strip_prefix("standard input:")
                .unwrap_or(line)
                .to_owned()
        })
        .collect()
}

/// The connection with one line replaced, and its Secret.
fn with(line: &str, instead: &str) -> String {
    assert!(CONNECTION.contains(line), "{line}");
    CONNECTION.replace(line, instead) + SECRET
}

fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../examples")
        .join(name)
}

#[test]
fn the_examples_load_as_they_are() {
    for (file, name, plan) in [
        ("connection.yaml", "default/storefront", Plan::Starter),
        ("connection-full.yaml", "acme/storefront", Plan::Growth),
    ] {
        let loaded = Loader::new(vec![example(file)])
            .with_environment(|_| None)
            .load()
            .unwrap_or_else(|refused| panic!("{refused}"));
        assert_eq!(loaded.warnings, [], "{file}");
        let [connection] = &loaded.connections[..] else {
            panic!("{file}");
        };
        assert_eq!(connection.name.to_string(), name);
        assert_eq!(
            connection.valid.epoch.host.as_str(),
            "https://eu.posthog.com"
        );
        assert_eq!(
            connection.plan(Plan::Starter),
            PlanStanding::Eligible { plan }
        );
    }
}

#[test]
fn the_full_example_names_every_field_of_the_schema() {
    let text = std::fs::read_to_string(example("connection-full.yaml")).unwrap();
    let definition: serde_json::Value = serde_saphyr::from_str(&crd::generate_crd()).unwrap();
    let spec =
        &definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"];
    let mut fields = Vec::new();
    names(spec, &mut fields);
    for field in fields.iter().filter(|field| *field != "orderCompleted") {
        assert!(
            text.contains(&format!("{field}:")),
            "{field} is not in the example"
        );
    }
}

fn names(schema: &serde_json::Value, into: &mut Vec<String>) {
    if let Some(properties) = schema["properties"].as_object() {
        for (name, schema) in properties {
            into.push(name.clone());
            names(schema, into);
        }
    }
    if schema["items"].is_object() {
        names(&schema["items"], into);
    }
}

#[test]
fn several_connections_of_several_files_are_loaded_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let other = CONNECTION.replace("storefront", "outlet") + SECRET;
    std::fs::write(folder.path().join("b.yaml"), CONNECTION).unwrap();
    std::fs::write(folder.path().join("a.yml"), other).unwrap();
    std::fs::write(folder.path().join("notes.txt"), "not read").unwrap();
    std::fs::write(folder.path().join(".hidden.yaml"), "not: read").unwrap();
    let file = folder.path().join("b.yaml");
    let loaded = Loader::new(vec![folder.path().to_owned(), file.clone()])
        .load()
        .unwrap();
    let names: Vec<_> = loaded
        .connections
        .iter()
        .map(|found| found.name.to_string())
        .collect();
    assert_eq!(names, ["default/outlet", "default/storefront"]);
    assert_eq!(loaded.connections[1].file, file.display().to_string());
}

#[test]
fn fields_that_kubectl_adds_are_no_obstacle() {
    let text = with(
        "  name: storefront",
        "  name: storefront\n  uid: abc\n  generation: 3\n  creationTimestamp: 2026-01-01T00:00:00Z\n  managedFields: [{manager: kubectl}]",
    ) + "status: {}\n";
    let text = text.replace("status: {}\n", "") + "---\n---\n# nothing\n";
    assert_eq!(load(text).unwrap().connections.len(), 1);
}

#[test]
fn typing_errors_in_fields_are_pointed_out_with_what_was_meant() {
    assert_eq!(
        refused(with("  projectId: 4242", "  projectID: 4242")),
        [
            "7: spec.projectID: is not a field: did you mean projectId?",
            "5: spec.projectId: is missing: copy the number from PostHog's project settings",
        ]
    );
    assert_eq!(
        refused(with(
            "  host: https",
            "  refresh: {intervall: 1h}\n  labels: {}\n  host: https"
        )),
        [
            "6: spec.refresh.intervall: is not a field: did you mean interval?",
            "7: spec.labels: is not a field: remove it (fields here: apiKeySecretRef, autocapture, backfill, cohorts, deletionGracePeriod, deletionPolicy, host, identity, mapping, projectId, refresh, retentionDays, suspend, timeZone)",
        ]
    );
    assert_eq!(
        refused(with("spec:", "specs: {}\nspec:")),
        ["5: specs: is not a field: did you mean spec?"]
    );
    assert_eq!(
        refused(with(
            "  apiKeySecretRef: {name: posthog}",
            "  apiKey: phx_secretvalue"
        )),
        [
            "8: spec.apiKey: is not a field: put the key into a Secret and name that under apiKeySecretRef",
            "5: spec.apiKeySecretRef: is missing: name the Secret that holds the API key, such as {name: posthog}",
        ]
    );
}

#[test]
fn wrong_types_are_named_with_the_right_one() {
    assert_eq!(
        refused(with("projectId: 4242", "projectId: \"4242\"")),
        ["7: spec.projectId: must be a whole number, not text: write 4242 without quotes"]
    );
    assert_eq!(
        refused(with("projectId: 4242", "projectId: my-shop")),
        ["7: spec.projectId: must be a whole number, not text"]
    );
    assert_eq!(
        refused(with("projectId: 4242", "projectId: 4.5")),
        ["7: spec.projectId: must be a whole number of at most 19 digits, not 4.5"]
    );
    assert_eq!(
        refused(with(
            "  projectId: 4242",
            "  projectId: 4242\n  suspend: 1\n  refresh: {interval: 3600}\n  timeZone: 2\n  mapping: {addedToCart: {events: {name: x}}}\n  cohorts: all",
        )),
        [
            "8: spec.suspend: must be true or false, not a number",
            "9: spec.refresh.interval: must be a duration, not a bare number: write its unit too, such as 1h or 90m",
            "10: spec.timeZone: must be text, not a number: put it in quotes",
            "11: spec.mapping.addedToCart.events: must be a list, not a group of fields: begin each entry with a dash",
            "12: spec.cohorts: must be a group of fields, not text",
        ]
    );
    assert_eq!(
        refused(with("{name: posthog}", "phx_secretvalue")),
        ["8: spec.apiKeySecretRef: must be a group of fields, not text"]
    );
    assert_eq!(
        refused(with("  name: storefront", "  name: 17")),
        ["4: metadata.name: must be text, not a number: put it in quotes"]
    );
}

#[test]
fn unknown_words_are_answered_with_the_known_ones() {
    assert_eq!(
        refused(with(
            "  projectId: 4242",
            "  projectId: 4242\n  deletionPolicy: retain\n  backfill: {via: Magic}"
        )),
        [
            "8: spec.deletionPolicy: must be one of Delete, Retain, not \"retain\": did you mean Retain?",
            "9: spec.backfill.via: must be one of Auto, Query, FileExport, not \"Magic\"",
        ]
    );
}

#[test]
fn a_bad_host_is_told_with_what_to_write() {
    let host = |given: &str| refused(with("https://eu.posthog.com", given));
    assert_eq!(
        host("eu.posthog.com"),
        ["6: spec.host: host \"eu.posthog.com\" has no scheme: write https://eu.posthog.com"]
    );
    assert_eq!(
        host("https://eu.posthog.com/project/1"),
        [
            "6: spec.host: host \"https://eu.posthog.com/project/1\" must end after the host name: write https://eu.posthog.com"
        ]
    );
    assert_eq!(
        host("https://phx_secretvalue@eu.posthog.com"),
        [
            "6: spec.host: host holds what looks like an API key: write PostHog's address there, such as https://eu.posthog.com, and the key into a Secret"
        ]
    );
    assert_eq!(
        host("\"\""),
        ["6: spec.host: host is empty: write PostHog's address, such as https://eu.posthog.com"]
    );
}

#[test]
fn order_completed_is_refused_in_whatever_form_it_is_written() {
    for form in ["null", "phx", "[1]", "{events: [{name: order completed}]}"] {
        let text = with(
            "  projectId: 4242",
            &format!("  projectId: 4242\n  mapping:\n    orderCompleted: {form}"),
        );
        assert_eq!(
            refused(text),
            [
                "9: spec.mapping.orderCompleted: Order completed always comes from Shopify's orders/create webhook and is never counted from PostHog: remove mapping.orderCompleted"
            ],
            "{form}"
        );
    }
}

#[test]
fn an_event_that_means_an_order_is_refused_for_any_stage() {
    let text = with(
        "  projectId: 4242",
        "  projectId: 4242\n  mapping: {checkoutStarted: {events: [{name: checkout_completed}]}}",
    );
    assert_eq!(
        refused(text),
        [
            "8: spec.mapping.checkoutStarted.events[0].name: mapping.checkoutStarted.events names \"checkout_completed\", which means an order: orders come from Shopify's orders/create webhook and are never counted from PostHog, remove it"
        ]
    );
}

#[test]
fn two_stages_that_claim_one_event_are_refused() {
    let text = with(
        "  projectId: 4242",
        "  projectId: 4242
  mapping:
    addedToCart:
      events:
        - name: added
    checkoutStarted:
      events:
        - name: started
        - name: added",
    );
    assert_eq!(
        refused(text),
        [
            "15: spec.mapping.checkoutStarted.events[1].name: mapping.checkoutStarted.events names \"added\", which mapping.addedToCart.events already has: one event belongs to one stage, remove it from one of them"
        ]
    );
}

#[test]
fn an_interval_longer_than_the_lookback_asks_for_one() {
    assert_eq!(
        refused(with(
            "  projectId: 4242",
            "  projectId: 4242\n  refresh: {interval: 12h}"
        )),
        [
            "8: spec.refresh.lookback: 6h is shorter than the interval of 12h, so events between two reads would be missed: set lookback too, to 12h or more"
        ]
    );
}

#[test]
fn shape_and_bounds_are_told_together() {
    assert_eq!(
        refused(with(
            "  projectId: 4242",
            "  projectId: x\n  backfill: {days: 400}\n  hots: y"
        )),
        [
            "7: spec.projectId: must be a whole number, not text",
            "9: spec.hots: is not a field: did you mean host?",
            "8: spec.backfill.days: 400 is out of bounds: write 1 to 365",
        ]
    );
}

#[test]
fn invalid_yaml_is_told_with_its_line_and_the_next_document_is_still_read() {
    let found = refused("a: b: c\n---\nkind: ConfigMap\n");
    assert!(found[0].starts_with("1: is not YAML ("), "{found:?}");
    assert!(
        found[0].ends_with("): check indentation, colons and quotes"),
        "{found:?}"
    );
    let found = refused(with(
        "  projectId: 4242",
        "  projectId: 4242\n  projectId: 4243",
    ));
    assert_eq!(
        found[0],
        "8: the field \"projectId\" is written twice: remove one of them"
    );
}

#[test]
fn yaml_that_multiplies_itself_is_refused() {
    let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..9 {
        let before = format!("*a{}, ", level - 1).repeat(10);
        text += &format!("a{level}: &a{level} [{before}]\n");
    }
    let found = refused(text);
    assert!(
        found[0].ends_with(
            "is too large or too deeply nested for configuration: split it into several files"
        ),
        "{found:?}"
    );
    let found = refused("[".repeat(100_000));
    assert!(
        found[0].contains("is too large or too deeply nested") || found[0].contains("is not YAML"),
        "{found:?}"
    );
}

#[test]
fn other_kinds_and_versions_are_refused() {
    assert_eq!(
        refused(CONNECTION.replace("PostHogConnection", "PosthogConnection") + SECRET),
        [
            "2: kind: \"PosthogConnection\" is not a kind that is read here: did you mean PostHogConnection?"
        ]
    );
    assert_eq!(
        refused("apiVersion: v1\nkind: ConfigMap\n"),
        [
            "2: kind: \"ConfigMap\" is not a kind that is read here: only PostHogConnection, Secret and Namespace are, keep other kinds in other files"
        ]
    );
    assert_eq!(
        refused(CONNECTION.replace("v1alpha1", "v1") + SECRET),
        [
            "1: apiVersion: \"integrations.ordinary.dev/v1\" is not a version of PostHogConnection that is known here: write integrations.ordinary.dev/v1alpha1"
        ]
    );
    assert_eq!(
        refused("kind: Secret\n"),
        ["1: apiVersion: is missing: write v1 for a Secret"]
    );
    assert_eq!(
        refused("host: https://eu.posthog.com\n"),
        ["1: kind: is missing: write PostHogConnection, Secret or Namespace"]
    );
    assert_eq!(
        refused("- a\n- b\n"),
        ["1: a document must be a group of fields with apiVersion and kind, not a list"]
    );
}

#[test]
fn names_are_held_to_what_kubernetes_takes() {
    assert_eq!(
        refused(with(
            "  name: storefront",
            "  namespace: acme.com\n  name: Store Front"
        )),
        [
            "5: metadata.name: \"Store Front\" is not a name that Kubernetes takes: write lower-case letters, digits, '-' and '.', beginning and ending with a letter or digit",
            "4: metadata.namespace: \"acme.com\" is not a namespace that Kubernetes takes: write up to 63 lower-case letters, digits and '-', beginning and ending with a letter or digit",
        ]
    );
    assert_eq!(
        refused(with("  name: storefront", "  generateName: store-")),
        ["3: metadata.name: is missing: give the connection a name"]
    );
    assert_eq!(
        refused(CONNECTION.to_owned() + &SECRET.replace("{name: posthog}", "{}")),
        [
            "13: metadata.name: is missing: give the Secret a name",
            "8: spec.apiKeySecretRef.name: Secret default/posthog is not among the files: add it, name a file or variable with the annotations posthog.ordinary.dev/api-key-file or posthog.ordinary.dev/api-key-env, or set ORDINARY_POSTHOG_API_KEY",
        ]
    );
}

#[test]
fn the_same_name_twice_is_refused() {
    let twice = format!("{CONNECTION}---\n{CONNECTION}{SECRET}{SECRET}");
    assert_eq!(
        refused(twice),
        [
            "28: metadata.name: Secret default/posthog is already in standard input:22: rename or remove one of them",
            "13: metadata.name: PostHogConnection default/storefront is already in standard input:4: rename or remove one of them",
        ]
    );
}

#[test]
fn problems_of_all_files_are_told_together() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    std::fs::write(path("a.yaml"), "kind: Pod\n").unwrap();
    std::fs::write(path("b.yaml"), [0xff, 0xfe, 0x00]).unwrap();
    std::fs::create_dir(path("empty")).unwrap();
    let refused = Loader::new(vec![
        path("a.yaml"),
        path("b.yaml"),
        path("c.yaml"),
        path("empty"),
    ])
    .load()
    .unwrap_err();
    let shown = refused
        .to_string()
        .replace(&folder.path().display().to_string(), "");
    let lines: Vec<_> = shown.lines().collect();
    assert_eq!(
        lines,
        [
            "/a.yaml:1: kind: \"Pod\" is not a kind that is read here: only PostHogConnection, Secret and Namespace are, keep other kinds in other files",
            "/b.yaml: is not UTF-8 text: save it as UTF-8",
            "/c.yaml: cannot be read (No such file or directory (os error 2)): check the path and its rights",
            "/empty: is a folder without a .yaml file: put the documents there or name another",
        ]
    );
    assert!(
        refused
            .problems
            .iter()
            .all(|problem| problem.class == ProblemClass::Configuration)
    );
}

#[test]
fn files_without_a_connection_are_refused() {
    assert_eq!(
        refused(SECRET),
        ["-: there is no PostHogConnection in it: write one, as examples/connection.yaml shows"]
    );
}

#[test]
fn the_plan_comes_from_the_namespace_else_from_the_default() {
    let namespace = "---\napiVersion: v1\nkind: Namespace\nmetadata: {name: default, labels: {ordinary.dev/plan: free}}\n";
    let text = format!("{CONNECTION}{SECRET}{namespace}");
    let loaded = load(&text).unwrap();
    assert_eq!(
        loaded.connections[0].plan(Plan::Scale),
        PlanStanding::TooLow { plan: Plan::Free }
    );
    let loaded = load(text.replace("plan: free", "plan: gold")).unwrap();
    assert!(matches!(
        loaded.connections[0].plan(Plan::Scale),
        PlanStanding::Unknown { .. }
    ));
    assert_eq!(
        loaded.warnings[0].to_string(),
        "standard input:18: metadata.labels: ordinary.dev/plan is \"gold\", which is no plan, so nothing is pulled for this namespace: write free, starter, growth or scale"
    );
    let loaded = load(text.replace("name: default", "name: other")).unwrap();
    assert_eq!(
        loaded.connections[0].plan(Plan::Scale),
        PlanStanding::Eligible { plan: Plan::Scale }
    );
}

#[test]
fn a_document_that_is_probably_not_meant_so_gets_a_warning() {
    let text = with(
        "  name: storefront",
        "  name: storefront\n  annotations: {posthog.ordinary.dev/api-key-files: x}",
    )
    .replace("  projectId: 4242", "  projectId: 4242\n  retentionDays: 7");
    let warnings: Vec<_> = load(text)
        .unwrap()
        .warnings
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        warnings,
        [
            "standard input:5: metadata.annotations: \"posthog.ordinary.dev/api-key-files\" means nothing here: did you mean posthog.ordinary.dev/api-key-file?",
            "standard input:9: spec.retentionDays: events are kept for 7 days, so the backfill reads 7 days and not 30: set retentionDays to 30 or more to have all of them",
        ]
    );
}

proptest::proptest! {
    #[test]
    fn no_text_makes_reading_panic(text in "([a-z]{1,4}: ?[\\[{&*!|>\"'a-z0-9-]{0,4}\n|  - |---\n|.{0,6}){0,12}") {
        let _ = load(&text);
        let _ = load(format!("{CONNECTION}{text}"));
    }
}
