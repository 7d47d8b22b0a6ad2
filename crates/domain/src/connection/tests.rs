use super::*;

fn id(namespace: &str, name: &str, host: &str, project: i64) -> ConnectionId {
    let epoch = Epoch {
        host: ApiHost::parse(host).unwrap(),
        project_id: ProjectId::try_from(project).unwrap(),
    };
    ConnectionId::of(&ConnectionName::new(namespace, name), &epoch)
}

#[test]
fn the_id_of_rows_is_the_same_for_ever() {
    assert_eq!(
        id("acme", "storefront", "https://eu.i.posthog.com", 4242).to_string(),
        id("acme", "storefront", "https://eu.posthog.com/", 4242).to_string()
    );
    assert_eq!(
        id("acme", "storefront", "https://eu.posthog.com", 4242).to_string(),
        "28c625ac-8b42-51ba-89da-75d883094ed1"
    );
}

#[test]
fn another_name_host_or_project_has_rows_of_its_own() {
    let ids = [
        id("acme", "shop", "https://eu.posthog.com", 1),
        id("acme", "shop", "https://us.posthog.com", 1),
        id("acme", "shop", "https://eu.posthog.com", 11),
        id("acme", "shop2", "https://eu.posthog.com", 1),
        id("acme2", "shop", "https://eu.posthog.com", 1),
    ];
    let distinct: std::collections::BTreeSet<_> = ids.iter().collect();
    assert_eq!(distinct.len(), ids.len());
}

#[test]
fn project_ids_are_whole_numbers_of_one_or_more() {
    assert_eq!(ProjectId::try_from(1).unwrap().get(), 1);
    for wrong in [0, -7, i64::MIN] {
        assert_eq!(
            ProjectId::try_from(wrong).unwrap_err().to_string(),
            format!(
                "projectId must be a whole number of 1 or more, not {wrong}: copy it from PostHog's project settings"
            )
        );
    }
    assert!(serde_json::from_str::<ProjectId>("0").is_err());
}
