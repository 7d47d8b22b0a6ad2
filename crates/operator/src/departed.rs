//! Connections that are out of sight: disconnected, or gone without a word, as when another operator's
//! selector has them now. Nothing is remembered of them, and nobody waits behind them.

use kube::Resource;
use kube::core::ObjectMeta;
use kube::runtime::reflector::ObjectRef;
use kube::runtime::watcher::Event;

use crate::context::{Context, Guarded};
use crate::identity::Identity;

/// Takes note of what a watch tells of connections that are listed, or went, after the cache did.
pub(crate) fn note(ctx: &Context, event: &Event<Guarded>) {
    match event {
        Event::InitDone => {
            // Tells those who wait for it that every connection was seen once.
            let _ = ctx.listed.set(());
            ctx.slots.keep(
                |key| is_here(ctx, key),
                |creating| ctx.places_taken(creating),
            );
        }
        Event::Delete(gone) => forget(ctx, gone.meta()),
        Event::Init | Event::InitApply(_) | Event::Apply(_) => {}
    }
}

/// Forgets a connection that went.
pub(crate) fn forget(ctx: &Context, gone: &ObjectMeta) {
    let Ok(identity) = Identity::of(gone) else {
        return;
    };
    ctx.writes.forget(&identity.uid);
    ctx.requests.forget(&identity.uid);
    ctx.retries.forget(&identity.name);
    ctx.slots.leave(&identity.name.to_string(), |creating| {
        ctx.places_taken(creating)
    });
}

/// Whether the cache has a connection of that namespace and name.
fn is_here(ctx: &Context, key: &str) -> bool {
    let named = |(namespace, name): (&str, &str)| ObjectRef::new(name).within(namespace);
    key.split_once('/')
        .is_some_and(|key| ctx.connections.get(&named(key)).is_some())
}
