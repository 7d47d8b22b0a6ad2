//! ListIdentityConflicts: the persons that are more than one customer.

use domain::identity::{IdentityKey, IdentityStatus};
use uuid::Uuid;

use super::IdentityServer;
use crate::answer::PackedIdentities;
use crate::check::check_connection;
use crate::errors::ApiError;
use crate::paging::check_page_size;
use crate::proto::v1;
use crate::reads::ReadStore;
use crate::token::Scope;

impl<S: ReadStore + ?Sized + 'static> IdentityServer<S> {
    pub(super) async fn conflicts(
        &self,
        mut request: v1::ListIdentityConflictsRequest,
    ) -> Result<v1::ListIdentityConflictsResponse, ApiError> {
        let name = check_connection("parent", &request.parent)?;
        let size = check_page_size(request.page_size)?;
        let token = std::mem::take(&mut request.page_token);
        request.page_size = 0;

        let readable = self.reads.open(&name).await?;
        let scope = Scope::page("ListIdentityConflicts", &request, Some(&readable.epoch));
        let after: Option<Uuid> = self.reads.cursor(&scope, &token).await?;
        let (store, epoch) = (&*self.reads.store, readable.epoch.id);
        let mut persons = store
            .persons_of_several_customers(epoch, after, size + 1)
            .await?;
        let is_last = persons.len() <= size;
        persons.truncate(size);
        let last = persons.last().copied().filter(|_| !is_last);
        let keys: Vec<IdentityKey> = persons.into_iter().map(IdentityKey::Person).collect();
        let mut answers = self.reads.resolve(&readable.epoch, &keys).await?;
        // Where only a shared id carries them, there is no conflict.
        answers.retain(|answer| answer.status == IdentityStatus::Conflict);
        let mut packed = PackedIdentities::new();
        Ok(v1::ListIdentityConflictsResponse {
            identities: answers.iter().map(|answer| packed.pack(answer)).collect(),
            next_page_token: self.reads.next_token(&scope, last.as_ref()).await?,
        })
    }
}
