//! `erase`: what it removes, what it leaves alone, and that nothing comes back.

use serde_json::Value;

use crate::support::documents::Document;
use crate::support::home::Home;
use crate::support::program::Program;
use crate::support::shop;
use crate::support::stored::Stored;

fn erase(home: &Home, person: &str, further: &[&str]) -> Program {
    let url = home.database_url();
    let mut arguments = vec!["erase", "--connection", "default/storefront"];
    arguments.extend(["--person", person, "--database-url", &url]);
    arguments.extend(further);
    home.program(&arguments)
}

async fn erased(home: &Home, person: &str, further: &[&str]) -> Value {
    let ended = erase(home, person, further).run().await;
    serde_json::from_str(&ended.with_code(0).stdout).unwrap()
}

/// The events of these distinct ids.
fn events_of(stored: &Stored, ids: &[&str]) -> usize {
    let of = |id: &String| ids.contains(&id.as_str());
    let rows = stored.events.iter();
    rows.filter(|row| of(&row.event.distinct_id)).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_goes_whole_and_does_not_come_back() {
    let stub = shop::small_shop().await;
    let home = Home::new();
    let file = home.write("connection.yaml", Document::of(&stub).yaml());
    home.sync(&file, "backfill").run().await.with_code(0);
    let before = Stored::read(&home.database_url()).await.unwrap();
    let ids = ["anon-0", "customer-0"];
    let theirs = events_of(&before, &ids);
    assert_eq!(theirs, 8);

    // By the customer id that one of the two distinct ids carried.
    let would = erased(&home, "1000", &["--dry-run"]).await;
    assert_eq!(would["events"], theirs);
    assert_eq!(
        (&would["persons"], &would["distinctIds"]),
        (&1.into(), &2.into())
    );
    assert_eq!(would["dryRun"], true);
    let still = Stored::read(&home.database_url()).await.unwrap();
    still.assert_same(&before);

    let gone = erased(&home, "1000", &[]).await;
    assert_eq!(gone["events"], theirs);
    assert_eq!(gone["personLinks"], would["personLinks"]);
    let without = Stored::read(&home.database_url()).await.unwrap();
    assert_eq!(without.events.len(), before.events.len() - theirs);
    assert_eq!(events_of(&without, &ids), 0);
    assert!(
        without
            .links
            .iter()
            .all(|(id, ..)| !ids.contains(&id.as_str()))
    );
    let counted: u64 = without.daily.iter().map(|day| day.events).sum();
    assert_eq!(counted, without.events.len() as u64);

    home.sync(&file, "refresh").run().await.with_code(0);
    home.sync(&file, "backfill").run().await.with_code(0);
    let later = Stored::read(&home.database_url()).await.unwrap();
    assert_eq!(events_of(&later, &ids), 0);
    assert!(
        later
            .links
            .iter()
            .all(|(id, ..)| !ids.contains(&id.as_str()))
    );

    erase(&home, "1000", &[])
        .run()
        .await
        .with_code(10)
        .says(&["nobody in default/storefront", "nothing was erased"]);
    let again = erased(&home, "distinct-id:anon-0", &[]).await;
    assert_eq!(again["events"], 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_visitor_without_a_profile_goes_by_the_person_that_its_events_show() {
    let mut project = shop::small_project();
    for minutes in [1, 2] {
        let visit = shop::visit(1, minutes, "newsletter signup", "nobody");
        project.capture(visit.property("$process_person_profile", false));
    }
    let stub = shop::posthog(project).await;
    let home = Home::new();
    let file = home.write("connection.yaml", Document::of(&stub).yaml());
    home.sync(&file, "backfill").run().await.with_code(0);
    let stored = Stored::read(&home.database_url()).await.unwrap();
    let mut rows = stored.events.iter();
    let row = rows.find(|row| row.event.distinct_id == "nobody").unwrap();
    let person = row.event.person_id.unwrap().to_string();
    assert!(stored.links.iter().all(|(id, ..)| id != "nobody"));

    let gone = erased(&home, &person, &[]).await;
    assert_eq!((&gone["persons"], &gone["events"]), (&1.into(), &2.into()));
    home.sync(&file, "backfill").run().await.with_code(0);
    let later = Stored::read(&home.database_url()).await.unwrap();
    assert_eq!(events_of(&later, &["nobody"]), 0);
    assert_eq!(later.events.len(), stored.events.len() - 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_id_of_two_persons_erases_neither_until_its_kind_is_said() {
    let mut project = shop::small_project();
    // Somebody whose distinct id is the customer id of another.
    project.capture(shop::visit(1, 9, "newsletter signup", "1000"));
    let stub = shop::posthog(project).await;
    let home = Home::new();
    let file = home.write("connection.yaml", Document::of(&stub).yaml());
    home.sync(&file, "backfill").run().await.with_code(0);
    let before = Stored::read(&home.database_url()).await.unwrap();
    erase(&home, "1000", &[]).run().await.with_code(10).says(&[
        "distinct-id:",
        "customer-id:",
        "nothing was erased",
    ]);
    let still = Stored::read(&home.database_url()).await.unwrap();
    still.assert_same(&before);
    assert_eq!(erased(&home, "distinct-id:1000", &[]).await["events"], 1);
    assert_eq!(erased(&home, "customer-id:1000", &[]).await["events"], 8);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_erasure_of_nobody_no_connection_or_no_database_says_so() {
    let home = Home::new();
    erase(&home, "ada", &[])
        .run()
        .await
        .with_code(20)
        .says(&["There is no database"]);
    erase(&home, "person:ada", &[])
        .run()
        .await
        .with_code(2)
        .says(&["--person", "uuid"]);
    let stub = shop::small_shop().await;
    let elsewhere = Document::of(&stub).name("elsewhere");
    let file = home.write("connection.yaml", elsewhere.yaml());
    home.sync(&file, "backfill").run().await.with_code(0);
    erase(&home, "anon-0", &[])
        .run()
        .await
        .with_code(10)
        .says(&["there is no connection default/storefront"]);
}
