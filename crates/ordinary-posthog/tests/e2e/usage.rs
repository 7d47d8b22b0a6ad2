//! The command line itself.

use crate::support::home::Home;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_command_line_is_a_matter_of_usage() {
    let home = Home::new();
    for (arguments, said) in [
        (vec![], "Usage"),
        (vec!["chek"], "check"),
        (vec!["check"], "--file"),
        (vec!["up"], "--file"),
        (vec!["sync", "-f", "x.yaml"], "--mode"),
        (vec!["sync", "-f", "x.yaml", "--mode", "all"], "backfill"),
        (vec!["serve", "--grpc-addr", "nowhere"], "--grpc-addr"),
        (vec!["serve", "--grpc-tls-cert", "x.pem"], "--grpc-tls-key"),
        (
            vec!["check", "-f", "x.yaml", "--default-plan", "gold"],
            "--default-plan",
        ),
    ] {
        home.program(&arguments)
            .run()
            .await
            .with_code(2)
            .says(&[said]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn help_lists_every_command_and_variable() {
    let home = Home::new();
    let help = home.program(&["--help"]).run().await;
    help.with_code(0)
        .says(&["up", "check", "demo", "erase", "probe", "serve", "sync"]);
    home.program(&["--version"])
        .run()
        .await
        .with_code(0)
        .says(&[env!("CARGO_PKG_VERSION")]);
    let up = home.program(&["up", "--help"]).run().await;
    up.with_code(0).says(&[
        "ORDINARY_POSTHOG_DATABASE_URL",
        "ORDINARY_POSTHOG_GRPC_ADDR",
        "ORDINARY_POSTHOG_ADMIN_ADDR",
        "ORDINARY_POSTHOG_LOG_FORMAT",
        "ORDINARY_POSTHOG_CA_BUNDLE",
        "ORDINARY_POSTHOG_ALLOW_INSECURE_HOST",
        "ORDINARY_POSTHOG_DEFAULT_PLAN",
    ]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_definition_is_printed_and_written_alike() {
    let home = Home::new();
    let printed = home.program(&["crds"]).run().await;
    printed.with_code(0).says(&[
        "kind: CustomResourceDefinition",
        "name: posthogconnections.integrations.ordinary.dev",
    ]);
    let file = home.path().join("crd.yaml");
    let path = file.to_str().unwrap();
    let written = home.program(&["crds", "--out", path]).run().await;
    written.with_code(0);
    assert_eq!(written.stdout, "");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), printed.stdout);
    let nowhere = home.path().join("missing").join("crd.yaml");
    home.program(&["crds", "--out", nowhere.to_str().unwrap()])
        .run()
        .await
        .with_code(10)
        .says(&["--out", "missing"]);
}
