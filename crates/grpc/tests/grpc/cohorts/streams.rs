//! StreamCohortChanges: whoever follows has the members.

use super::*;

/// Members as a follower has them.
#[derive(Default)]
struct Follower {
    members: BTreeMap<String, BTreeSet<String>>,
    token: String,
}

impl Follower {
    fn apply(&mut self, message: v1::StreamCohortChangesResponse) -> bool {
        for change in message.changes {
            if change.kind() == Kind::Erased {
                assert_eq!(change.cohort, "");
                for members in self.members.values_mut() {
                    members.remove(&change.person_id);
                }
                continue;
            }
            let members = self.members.entry(change.cohort.clone()).or_default();
            let is_new = match change.kind() {
                Kind::Entered => members.insert(change.person_id.clone()),
                Kind::Left => members.remove(&change.person_id),
                Kind::Erased | Kind::Unspecified => panic!("never sent"),
            };
            assert!(is_new, "{change:?}");
        }
        self.token = message.resume_token;
        message.caught_up
    }

    fn request(&self) -> v1::StreamCohortChangesRequest {
        v1::StreamCohortChangesRequest {
            parent: SHOP.to_owned(),
            resume_token: self.token.clone(),
            ..Default::default()
        }
    }
}

async fn next(
    stream: &mut Streaming<v1::StreamCohortChangesResponse>,
) -> Result<v1::StreamCohortChangesResponse, tonic::Status> {
    let message = timeout(PATIENCE, stream.message()).await;
    Ok(message
        .expect("a message in time")?
        .expect("a stream that goes on"))
}

#[tokio::test]
async fn a_follower_that_resumes_after_every_message_has_the_members() {
    let site = Site::open().await;
    site.members(12, 0..1_200, hours(1)).await;
    site.members(13, 0..9, hours(1)).await;
    site.members(12, 100..1_250, hours(2)).await;
    let mut follower = Follower::default();
    let mut messages = 0;
    loop {
        let mut stream = site.stream(follower.request()).await.unwrap();
        let caught_up = follower.apply(next(&mut stream).await.unwrap());
        messages += 1;
        if caught_up {
            break;
        }
        // Meanwhile some come and some go.
        site.members(13, messages..messages + 9, hours(3)).await;
    }
    assert!(messages >= 3);
    for cohort in [12, 13] {
        let stored = site
            .store
            .cohort_members(site.id, CohortId(cohort), None, 9_999)
            .await
            .unwrap();
        let stored: BTreeSet<String> = stored.iter().map(|it| it.person_id.to_string()).collect();
        assert_eq!(follower.members[&name(cohort)], stored);
    }
}

#[tokio::test]
async fn an_open_stream_tells_of_the_cohorts_that_are_wanted_as_they_change() {
    let site = Site::open().await;
    site.members(12, 0..3, hours(1)).await;
    site.members(13, 0..3, hours(1)).await;
    let wanted = v1::StreamCohortChangesRequest {
        cohorts: vec![name(13)],
        ..Follower::default().request()
    };
    let mut stream = site.stream(wanted.clone()).await.unwrap();
    let mut follower = Follower::default();
    assert!(follower.apply(next(&mut stream).await.unwrap()));
    assert_eq!(follower.members.keys().collect::<Vec<_>>(), [&name(13)]);
    site.members(12, 0..9, hours(2)).await;
    site.members(13, 2..4, hours(2)).await;
    follower.apply(next(&mut stream).await.unwrap());
    let expected: BTreeSet<String> = (2..4).map(|number| person(number).to_string()).collect();
    assert_eq!(follower.members[&name(13)], expected);

    let now = v1::StreamCohortChangesRequest {
        start: v1::stream_cohort_changes_request::Start::Now.into(),
        ..wanted
    };
    let mut stream = site.stream(now).await.unwrap();
    let first = next(&mut stream).await.unwrap();
    assert!(first.changes.is_empty() && first.caught_up && !first.resume_token.is_empty());
}

#[tokio::test]
async fn an_erased_person_is_told_to_whoever_follows_any_cohort_and_is_in_none() {
    let mut site = Site::open().await;
    site.members(12, 0..3, hours(1)).await;
    site.members(13, 0..3, hours(1)).await;
    let wanted = v1::StreamCohortChangesRequest {
        cohorts: vec![name(13)],
        ..Follower::default().request()
    };
    let mut stream = site.stream(wanted).await.unwrap();
    let mut follower = Follower::default();
    assert!(follower.apply(next(&mut stream).await.unwrap()));
    let key = IdentityKey::Person(person(1));
    erase(&*site.store, &shop::name(), &key, hours(2))
        .await
        .unwrap();
    follower.apply(next(&mut stream).await.unwrap());
    let left: BTreeSet<String> = [0, 2].map(|number| person(number).to_string()).into();
    assert_eq!(follower.members[&name(13)], left);

    // PostHog still has the person in the cohort: nobody is told again.
    site.members(13, 0..4, hours(2)).await;
    let told = next(&mut stream).await.unwrap();
    let told: Vec<&str> = told
        .changes
        .iter()
        .map(|it| it.person_id.as_str())
        .collect();
    assert_eq!(told, [person(3).to_string()]);
    let request = v1::ListCohortMembersRequest {
        parent: name(13),
        ..Default::default()
    };
    let listed = site.client.list_cohort_members(request).await.unwrap();
    let listed: BTreeSet<String> = listed
        .into_inner()
        .cohort_members
        .into_iter()
        .map(|it| it.person_id)
        .collect();
    let left: BTreeSet<String> = [0, 2, 3].map(|number| person(number).to_string()).into();
    assert_eq!(listed, left);
}

#[tokio::test]
async fn a_follower_that_missed_what_is_past_retention_must_begin_again() {
    let site = Site::open().await;
    site.members(12, 0..3, hours(1)).await;
    let mut late = Follower::default();
    let mut stream = site.stream(late.request()).await.unwrap();
    late.apply(next(&mut stream).await.unwrap());
    drop(stream);
    site.members(12, 0..2, hours(2)).await;
    let mut early = Follower::default();
    let mut open = site.stream(early.request()).await.unwrap();
    assert!(early.apply(next(&mut open).await.unwrap()));
    site.store
        .expire_cohort_changes(&site.lease, hours(3))
        .await
        .unwrap();

    let mut refused = site.stream(late.request()).await;
    let refused = match &mut refused {
        Ok(stream) => next(stream).await.unwrap_err(),
        Err(refused) => refused.clone(),
    };
    assert_eq!(reason(&refused), "TOKEN_STALE");
    let mut stream = site.stream(early.request()).await.unwrap();
    assert!(early.apply(next(&mut stream).await.unwrap()));
    let mut anew = Follower::default();
    let mut stream = site.stream(anew.request()).await.unwrap();
    assert!(anew.apply(next(&mut stream).await.unwrap()));
    assert_eq!(anew.members, early.members);
    site.members(12, 0..1, hours(4)).await;
    anew.apply(next(&mut stream).await.unwrap());
    assert_eq!(anew.members[&name(12)].len(), 1);
}
