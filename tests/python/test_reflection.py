"""What a client without generated code finds: the services, their methods, and the health of each."""

import pytest

API = {
    "ordinary.posthog.v1.ClickmapService": {"ListClickmapPages", "ListClickmapElements"},
    "ordinary.posthog.v1.ConnectionService": {"GetConnection", "ListConnections"},
    "ordinary.posthog.v1.ErasureService": {"ErasePerson"},
    "ordinary.posthog.v1.EventService": {
        "ListMappedEvents",
        "ListEvents",
        "StreamEvents",
        "ListDailyEventCounts",
        "GetFunnel",
        "ListEventDefinitions",
    },
    "ordinary.posthog.v1.CohortService": {"ListCohorts", "ListCohortMembers", "CheckCohortMembership", "StreamCohortChanges"},
    "ordinary.posthog.v1.IdentityService": {
        "ResolveIdentities",
        "ListIdentityLinks",
        "ListIdentityConflicts",
        "StreamIdentityChanges",
    },
    "ordinary.posthog.v1.TrailService": {"ListSessionEvents", "ListCustomerTrail"},
}


def test_reflection_lists_every_service(demo):
    assert demo.services() >= {*API, "grpc.health.v1.Health"}


@pytest.mark.parametrize("service", API)
def test_reflection_describes_every_method(demo, service):
    assert demo.methods(service) >= API[service]


@pytest.mark.parametrize("service", ["", *API])
def test_a_synced_demo_reports_each_service_as_serving(demo, service):
    assert demo.call("grpc.health.v1.Health/Check", {"service": service}) == {"status": "SERVING"}
