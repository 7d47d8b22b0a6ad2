//! `erase`: removes everything that is stored of one person, for good.

use domain::ConnectionName;
use domain::erasure::{self, Erased, ErasureError, Meant};
use domain::identity::IdentityKey;
use domain::storage::Store;
use jiff::Timestamp;
use serde_json::json;
use uuid::Uuid;

use crate::connections::parse_name;
use crate::exit::{Exit, Failure};
use crate::settings::StoreSettings;
use crate::{signals, terminal};

/// The arguments of `erase`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Which connection, living or deleted.
    #[arg(long, value_name = "NAMESPACE/NAME", value_parser = parse_name)]
    connection: ConnectionName,
    /// One id of the person: a PostHog person's uuid, a distinct id, a customer id or an e-mail address. Where
    /// it could be several of these, say which: person:ID, distinct-id:ID, customer-id:ID or email:ID.
    #[arg(long, value_name = "ID", value_parser = parse_person)]
    person: Person,
    /// Say what would go, and erase nothing.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    store: StoreSettings,
}

/// Who is to be erased.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Person {
    /// An id whose kind was said.
    Key(IdentityKey),
    /// An id alone.
    Bare(String),
}

impl Args {
    /// Erases the person and prints one JSON line. Stopped or killed, it goes on where it stopped when it is
    /// run again, and with the connection's next run.
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let name = &self.connection;
        let store = self.store.open_existing().await?;
        let cancel =
            signals::shutdown_token().map_err(|error| Failure::new(Exit::Configuration, error))?;
        let erased = tokio::select! {
            erased = self.erase(&*store) => erased?,
            () = cancel.cancelled() => {
                return Err(Failure::new(
                    Exit::Interrupted,
                    "The person is erased in part: run it again to go on.",
                ));
            }
        };
        let line = json!({
            "connection": name.to_string(),
            "dryRun": self.dry_run,
            "persons": erased.persons,
            "distinctIds": erased.distinct_ids,
            "events": erased.events,
            "personLinks": erased.person_links,
            "factLinks": erased.fact_links,
            "cohortStays": erased.cohort_stays,
        });
        terminal::print(&format!("{line}\n"));
        Ok(())
    }

    async fn erase(&self, store: &dyn Store) -> Result<Erased, Failure> {
        let name = &self.connection;
        let key = match &self.person {
            Person::Key(key) => key.clone(),
            Person::Bare(text) => match erasure::meant(store, name, text).await? {
                Meant::One(key) => key,
                Meant::Several(keys) => return Err(several(name, &keys)),
                // What an earlier call has begun leaves no links to be found by.
                Meant::Nobody if self.dry_run => return Err(nobody(name)),
                Meant::Nobody => {
                    let erased = erasure::resume(store, name).await?;
                    return (erased != Erased::default())
                        .then_some(erased)
                        .ok_or_else(|| nobody(name));
                }
            },
        };
        let erased = if self.dry_run {
            erasure::preview(store, name, &key).await?
        } else {
            erasure::erase(store, name, &key, Timestamp::now()).await?
        };
        if erased == Erased::default() {
            return Err(nobody(name));
        }
        Ok(erased)
    }
}

impl From<ErasureError> for Failure {
    fn from(error: ErasureError) -> Self {
        match error {
            ErasureError::NoConnection(_) => Self::new(Exit::Configuration, error),
            ErasureError::Store(error) => error.into(),
        }
    }
}

fn nobody(name: &ConnectionName) -> Failure {
    Failure::new(
        Exit::Configuration,
        format!(
            "--person: nobody in {name} is known by this id, so nothing was erased. To refuse a distinct id or a person that is not stored yet, write distinct-id:ID or person:ID."
        ),
    )
}

fn several(name: &ConnectionName, keys: &[IdentityKey]) -> Failure {
    let kinds: Vec<&str> = keys.iter().map(prefix).collect();
    Failure::new(
        Exit::Configuration,
        format!(
            "--person: this id means different persons in {name}, so nothing was erased: write {} before it.",
            kinds.join(" or ")
        ),
    )
}

fn prefix(key: &IdentityKey) -> &'static str {
    match key {
        IdentityKey::Person(_) => "person:",
        IdentityKey::DistinctId(_) => "distinct-id:",
        IdentityKey::CustomerId(_) => "customer-id:",
        IdentityKey::Email(_) => "email:",
        IdentityKey::AnonymousId(_) => "anonymous-id:",
    }
}

fn parse_person(given: &str) -> Result<Person, String> {
    let named = given
        .split_once(':')
        .filter(|(kind, _)| ["person", "distinct-id", "customer-id", "email"].contains(kind));
    let id = named.map_or(given, |(_, id)| id);
    if id.trim().is_empty() {
        return Err("write an id of the person".to_owned());
    }
    let id = id.to_owned();
    Ok(match named {
        None => Person::Bare(id),
        Some(("person", _)) => Person::Key(IdentityKey::Person(
            Uuid::try_parse(&id).map_err(|_| "person: takes a uuid, as PostHog shows it")?,
        )),
        Some(("distinct-id", _)) => Person::Key(IdentityKey::DistinctId(id)),
        Some(("customer-id", _)) => Person::Key(IdentityKey::CustomerId(id)),
        Some(_) => Person::Key(IdentityKey::Email(id)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_may_say_what_it_is() {
        let key = |given: &str| match parse_person(given).unwrap() {
            Person::Key(key) => key,
            Person::Bare(text) => panic!("{text} has no kind"),
        };
        assert_eq!(key("email:a@b.c"), IdentityKey::Email("a@b.c".to_owned()));
        assert_eq!(
            key("distinct-id:email:x"),
            IdentityKey::DistinctId("email:x".to_owned())
        );
        assert_eq!(
            key("customer-id:7"),
            IdentityKey::CustomerId("7".to_owned())
        );
        assert_eq!(
            parse_person("gid://shopify/Customer/7").unwrap(),
            Person::Bare("gid://shopify/Customer/7".to_owned())
        );
        for wrong in ["", " ", "person:7", "email:"] {
            assert!(parse_person(wrong).is_err(), "{wrong:?}");
        }
    }
}
