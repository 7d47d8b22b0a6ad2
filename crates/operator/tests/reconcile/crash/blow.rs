//! How an operator dies: at one of its writes to the API server, or at one of its writes to the store.

use std::sync::Arc;

use domain::storage::Store;
use kube::Client;
use test_kubernetes::{Death, Mortal, Server};
use test_store::{Fate, FatedStore};

/// How an operator dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Blow {
    /// It lives.
    Spared,
    /// Around a write to the API server.
    AtServer(Death),
    /// Around the write to the store of that number, from 1 on.
    AtStore(usize, Fate),
}

/// How often an operator has written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Writes {
    /// To the API server.
    pub(super) server: usize,
    /// To the store.
    pub(super) store: usize,
}

/// What an operator works with that dies so.
pub(super) struct Doomed {
    pub(super) client: Client,
    pub(super) store: Arc<FatedStore>,
    mortal: Mortal,
}

impl Blow {
    /// Every blow that hits anybody who writes so often.
    pub(super) fn all(most: Writes) -> (Vec<Self>, Vec<Self>) {
        let at_server = |death: fn(usize) -> Death| {
            (1..=most.server).map(move |write| Self::AtServer(death(write)))
        };
        let at_store = |fate| (1..=most.store).map(move |write| Self::AtStore(write, fate));
        let before = at_server(Death::Before).chain(at_store(Fate::DiesBefore));
        let after = at_server(Death::After).chain(at_store(Fate::DiesAfter));
        (before.collect(), after.collect())
    }
}

impl Doomed {
    pub(super) fn new(server: &Server, store: &Arc<dyn Store>, blow: Blow) -> Self {
        let (client, mortal) = server.mortal().unwrap();
        if let Blow::AtServer(death) = blow {
            mortal.dies(death);
        }
        let (at, fate) = match blow {
            Blow::AtStore(write, fate) => (write - 1, fate),
            Blow::Spared | Blow::AtServer(_) => (usize::MAX, Fate::GoesOn),
        };
        let store = FatedStore::new(Arc::clone(store), at, fate);
        store.go_on();
        Self {
            client,
            store,
            mortal,
        }
    }

    /// Returns once it is dead.
    pub(super) async fn died(&self) {
        tokio::select! {
            () = self.mortal.died() => {}
            () = self.store.died() => {}
        }
    }

    /// How often it has written.
    pub(super) fn writes(&self) -> Writes {
        Writes {
            server: self.mortal.writes(),
            store: self.store.writes(),
        }
    }
}
