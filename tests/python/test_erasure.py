"""Erases one of the demo's shoppers, and looks for what is left of it."""

import pytest

ERASURES = "ordinary.posthog.v1.ErasureService"
EVENTS = "ordinary.posthog.v1.EventService"
IDENTITIES = "ordinary.posthog.v1.IdentityService"
COHORTS = "ordinary.posthog.v1.CohortService"


def members(demo, connection) -> set[str]:
    """Every person who is in a cohort."""
    pages = demo.pages(f"{COHORTS}/ListCohorts", {"parent": connection["name"]})
    cohorts = [cohort["name"] for page in pages for cohort in page.get("cohorts", [])]
    found = set()
    for cohort in cohorts:
        pages = demo.pages(f"{COHORTS}/ListCohortMembers", {"parent": cohort})
        found |= {member["personId"] for page in pages for member in page.get("cohortMembers", [])}
    return found


@pytest.fixture(scope="module")
def person(demo, connection) -> str:
    """Somebody who is in a cohort and has a distinct id."""
    pages = demo.pages(f"{IDENTITIES}/ListIdentityLinks", {"parent": connection["name"]})
    links = [link["linked"] for page in pages for link in page.get("identityLinks", [])]
    in_cohorts = members(demo, connection)
    return next(link["personId"] for link in links if link.get("personId") in in_cohorts)


@pytest.fixture(scope="module")
def shopper(demo, connection, person) -> str:
    """The person's distinct id."""
    pages = demo.pages(f"{IDENTITIES}/ListIdentityLinks", {"parent": connection["name"]})
    links = [link for page in pages for link in page.get("identityLinks", [])]
    return next(link["distinctId"] for link in links if link["linked"].get("personId") == person)


def events(demo, connection, distinct_id: str) -> list[dict]:
    """Every stored event of a distinct id."""
    pages = demo.pages(f"{EVENTS}/ListEvents", {"parent": connection["name"], "distinctId": distinct_id})
    return [event for page in pages for event in page.get("events", [])]


def test_an_erased_person_leaves_nothing_behind(demo, connection, person, shopper):
    request = {"parent": connection["name"], "key": {"distinctId": shopper}}
    known = events(demo, connection, shopper)
    would = demo.call(f"{ERASURES}/ErasePerson", {**request, "dryRun": True})
    assert int(would["personCount"]) == 1
    assert int(would.get("eventCount", 0)) >= len(known)
    assert int(would["cohortStayCount"]) >= 1
    assert events(demo, connection, shopper) == known

    assert demo.call(f"{ERASURES}/ErasePerson", request) == would
    assert events(demo, connection, shopper) == []
    asked = {"parent": connection["name"], "keys": [{"distinctId": shopper}]}
    (identity,) = demo.call(f"{IDENTITIES}/ResolveIdentities", asked)["identities"]
    assert identity["status"] == "STATUS_UNKNOWN"
    assert person not in members(demo, connection)
