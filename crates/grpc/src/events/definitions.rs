//! ListEventDefinitions: pages of the event names that a project has.

use domain::EventName;
use domain::mapping::{KnownEvent, SUGGESTION_DAYS, candidates, evidence_since, suggestions};
use domain::storage::EventDefinition;
use jiff::{Span, Timestamp};

use super::EventServer;
use crate::access::Readable;
use crate::answer::{KnownNames, definition};
use crate::check::check_connection;
use crate::errors::ApiError;
use crate::paging::{check_page_size, fill};
use crate::proto::v1;
use crate::reads::ReadStore;
use crate::token::Scope;

impl<S: ReadStore + ?Sized> EventServer<S> {
    pub(super) async fn event_definitions(
        &self,
        mut request: v1::ListEventDefinitionsRequest,
    ) -> Result<v1::ListEventDefinitionsResponse, ApiError> {
        let name = check_connection("parent", &request.parent)?;
        let size = check_page_size(request.page_size)?;
        let token = std::mem::take(&mut request.page_token);
        request.page_size = 0;

        let readable = self.reads.open(&name).await?;
        let scope = Scope::page("ListEventDefinitions", &request, Some(&readable.epoch));
        let after: Option<EventName> = self.reads.cursor(&scope, &token).await?;
        let found = self
            .reads
            .store
            .event_definitions(readable.epoch.id, after.as_ref(), size + 1)
            .await?;
        let known = self.known_names(&readable, &found).await?;
        let mapping = readable.epoch.mapping.as_ref();
        let rows = found.into_iter().map(|found| {
            let described = definition(&found, mapping, &known);
            (found.name, described)
        });
        let page = fill(rows, size);
        Ok(v1::ListEventDefinitionsResponse {
            next_page_token: self.reads.next_token(&scope, page.last.as_ref()).await?,
            event_definitions: page.rows,
        })
    }
    /// What is known of the names of these definitions; nothing before the first run.
    async fn known_names(
        &self,
        readable: &Readable,
        definitions: &[EventDefinition],
    ) -> Result<KnownNames, ApiError> {
        let mut known = KnownNames::default();
        let (Some(mapping), Ok(today)) = (&readable.epoch.mapping, readable.today()) else {
            return Ok(known);
        };
        if definitions.is_empty() {
            return Ok(known);
        }
        let (store, id) = (&self.reads.store, readable.epoch.id);
        let tomorrow = today.saturating_add(Span::new().days(1));
        let from = tomorrow.saturating_sub(Span::new().days(SUGGESTION_DAYS));
        let names: Vec<EventName> = definitions.iter().map(|it| it.name.clone()).collect();
        for count in store.daily_event_counts(id, from, tomorrow, &names).await? {
            *known.recent.entry(count.name).or_default() += count.events;
        }
        let events: Vec<KnownEvent> = names
            .into_iter()
            .map(|name| KnownEvent {
                events: known.recent.get(&name).copied().unwrap_or(0),
                name,
            })
            .collect();
        let since = readable.start_of(from)?;
        let suggestions = suggestions(&**store, id, mapping, &events, since).await?;
        let asked = candidates(&suggestions);
        if !asked.is_empty() {
            let since = evidence_since(Timestamp::now());
            let evidence = store.order_evidence(id, &asked, since).await?;
            let names = asked.into_iter().map(|candidate| candidate.rule.name);
            known.evidence = names.zip(evidence).collect();
        }
        known.suggestions = suggestions
            .into_iter()
            .map(|suggestion| (suggestion.name.clone(), suggestion))
            .collect();
        Ok(known)
    }
}
