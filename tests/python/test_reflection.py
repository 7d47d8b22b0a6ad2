"""What a client without generated code finds: the services, their methods, and the health of each."""

import pytest

API = {
    "ordinary.posthog.v1.ConnectionService": {"GetConnection", "ListConnections"},
    "ordinary.posthog.v1.EventService": {
        "ListMappedEvents",
        "ListEvents",
        "StreamEvents",
        "ListDailyEventCounts",
        "GetFunnel",
        "ListEventDefinitions",
    },
    "ordinary.posthog.v1.IdentityService": {"ResolveIdentities", "ListIdentityLinks"},
}


def test_reflection_lists_every_service(demo):
    assert demo.services() >= {*API, "grpc.health.v1.Health"}


@pytest.mark.parametrize("service", API)
def test_reflection_describes_every_method(demo, service):
    assert demo.methods(service) >= API[service]


@pytest.mark.parametrize("service", ["", *API])
def test_a_synced_demo_reports_each_service_as_serving(demo, service):
    assert demo.call("grpc.health.v1.Health/Check", {"service": service}) == {"status": "SERVING"}


def test_listed_connections_can_be_got_by_name(demo):
    pages = list(demo.pages("ordinary.posthog.v1.ConnectionService/ListConnections", {"parent": "namespaces/-"}))
    listed = [connection for page in pages for connection in page.get("connections", [])]
    assert listed
    for connection in listed:
        got = demo.call("ordinary.posthog.v1.ConnectionService/GetConnection", {"name": connection["name"]})
        assert got["name"] == connection["name"]
