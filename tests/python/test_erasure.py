"""Erases one of the demo's shoppers, and looks for what is left of it."""

import pytest

ERASURES = "ordinary.posthog.v1.ErasureService"
EVENTS = "ordinary.posthog.v1.EventService"
IDENTITIES = "ordinary.posthog.v1.IdentityService"


@pytest.fixture(scope="module")
def shopper(demo, connection) -> str:
    """The distinct id of somebody whom PostHog maps to a person."""
    pages = demo.pages(f"{IDENTITIES}/ListIdentityLinks", {"parent": connection["name"]})
    links = [link for page in pages for link in page.get("identityLinks", [])]
    return next(link["distinctId"] for link in links if "personId" in link["linked"])


def events(demo, connection, distinct_id: str) -> list[dict]:
    """Every stored event of a distinct id."""
    pages = demo.pages(f"{EVENTS}/ListEvents", {"parent": connection["name"], "distinctId": distinct_id})
    return [event for page in pages for event in page.get("events", [])]


def test_an_erased_person_leaves_nothing_behind(demo, connection, shopper):
    request = {"parent": connection["name"], "key": {"distinctId": shopper}}
    known = events(demo, connection, shopper)
    would = demo.call(f"{ERASURES}/ErasePerson", {**request, "dryRun": True})
    assert int(would["personCount"]) == 1
    assert int(would.get("eventCount", 0)) >= len(known)
    assert events(demo, connection, shopper) == known

    assert demo.call(f"{ERASURES}/ErasePerson", request) == would
    assert events(demo, connection, shopper) == []
    asked = {"parent": connection["name"], "keys": [{"distinctId": shopper}]}
    (identity,) = demo.call(f"{IDENTITIES}/ResolveIdentities", asked)["identities"]
    assert identity["status"] == "STATUS_UNKNOWN"
