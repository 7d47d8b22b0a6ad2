"""Reads all of the demo's shop, and holds each answer against another one that must agree with it."""

from collections import Counter
from datetime import date, datetime, time, timedelta, timezone
from zoneinfo import ZoneInfo

import grpc
import pytest

CONNECTIONS = "ordinary.posthog.v1.ConnectionService"
EVENTS = "ordinary.posthog.v1.EventService"
IDENTITIES = "ordinary.posthog.v1.IdentityService"
COHORTS = "ordinary.posthog.v1.CohortService"
CLICKMAPS = "ordinary.posthog.v1.ClickmapService"
TRAILS = "ordinary.posthog.v1.TrailService"


@pytest.fixture(scope="module")
def day(connection) -> date:
    """A day in the middle of the backfill: nothing arrives for it while the tests run."""
    start, end = (datetime.fromisoformat(connection["backfill"][edge]) for edge in ("startTime", "endTime"))
    return (start + (end - start) / 2).astimezone(ZoneInfo(connection["timeZone"])).date()


@pytest.fixture(scope="module")
def window(connection, day) -> dict:
    """The instants of `day`, as the requests that take timestamps want them."""

    def midnight(of: date) -> str:
        local = datetime.combine(of, time(), ZoneInfo(connection["timeZone"]))
        return local.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")

    return {"parent": connection["name"], "startTime": midnight(day), "endTime": midnight(day + timedelta(days=1))}


@pytest.fixture(scope="module")
def counts(demo, connection, day) -> dict[str, dict]:
    """What ListDailyEventCounts says of `day`, by event name."""
    pages = demo.pages(f"{EVENTS}/ListDailyEventCounts", {"parent": connection["name"], **days(day, 1)})
    rows = [row for page in pages for row in page.get("dailyEventCounts", [])]
    assert rows, "the demo's shop has events on every day"
    return {row["event"]: row for row in rows}


def days(first: date, number: int) -> dict:
    """The date fields of a request for so many days."""
    edges = {"startDate": first, "endDate": first + timedelta(days=number)}
    return {name: {"year": at.year, "month": at.month, "day": at.day} for name, at in edges.items()}


def listed(demo, method: str, request: dict) -> list[dict]:
    """Every event of a listing, in pages small enough that there are several."""
    pages = list(demo.pages(f"{EVENTS}/{method}", {**request, "pageSize": 100}))
    assert len(pages) > 1
    return [event for page in pages for event in page.get("events", [])]


def test_a_listed_connection_can_be_got_by_name(demo, connection):
    got = demo.call(f"{CONNECTIONS}/GetConnection", {"name": connection["name"]})["connection"]
    assert got["name"] == connection["name"]
    assert got["projectId"] == connection["projectId"]


def test_no_answer_about_a_connection_holds_its_key(demo, connection):
    assert connection["check"]["maskedKey"]
    assert "..." in connection["check"]["maskedKey"]


def test_a_days_events_are_as_many_as_its_counts_say(demo, window, counts):
    events = listed(demo, "ListEvents", window)
    assert len({event["uuid"] for event in events}) == len(events)
    assert Counter(event["event"] for event in events) == {name: int(row["eventCount"]) for name, row in counts.items()}


def test_a_recounted_day_has_both_numbers_and_when_they_were_counted(demo, connection):
    zone = ZoneInfo(connection["timeZone"])
    start = datetime.fromisoformat(connection["backfill"]["startTime"]).astimezone(zone).date()
    pages = demo.pages(f"{EVENTS}/ListDailyEventCounts", {"parent": connection["name"], **days(start, 35)})
    recounts = [recount for page in pages for recount in page.get("dayRecounts", [])]
    verified = [recount for recount in recounts if recount["verdict"] == "COMPLETENESS_VERDICT_VERIFIED"]
    assert verified
    for recount in verified:
        assert int(recount["posthogEvents"]) == int(recount["storedEvents"]) + int(recount.get("erasedEvents", 0))
        assert recount["countTime"]


def test_events_come_in_the_order_asked_for(demo, window):
    oldest = [event["uuid"] for event in listed(demo, "ListEvents", {**window, "order": "EVENT_ORDER_OLDEST_FIRST"})]
    newest = [event["uuid"] for event in listed(demo, "ListEvents", {**window, "order": "EVENT_ORDER_NEWEST_FIRST"})]
    assert oldest == newest[::-1]


def test_a_days_mapped_events_are_as_many_as_its_stage_counts_say(demo, window, counts):
    mapped = Counter((event["event"], event["stage"]) for event in listed(demo, "ListMappedEvents", window))
    assert mapped
    said = {(name, row["stage"]): int(row["stageEventCount"]) for name, row in counts.items() if int(row.get("stageEventCount", 0))}
    assert mapped == said


def test_the_funnel_counts_the_events_that_it_says_it_counted(demo, connection, day, counts):
    funnel = demo.call(f"{EVENTS}/GetFunnel", {"parent": connection["name"], **days(day, 1)})
    (only,) = funnel["days"]
    from_posthog = [stage for stage in only["stages"] if stage["source"] == "STAGE_SOURCE_POSTHOG"]
    assert from_posthog
    for stage in from_posthog:
        counted = [counts.get(name, {}) for name in stage.get("countedEvents", [])]
        assert int(stage["eventCount"]) == sum(int(row.get("stageEventCount", 0)) for row in counted)


def test_orders_are_shopifys_and_have_no_number_here(demo, connection, day):
    funnel = demo.call(f"{EVENTS}/GetFunnel", {"parent": connection["name"], **days(day, 2)})
    assert len(funnel["days"]) == 2
    for one in funnel["days"]:
        (orders,) = [stage for stage in one["stages"] if stage["stage"] == "FUNNEL_STAGE_ORDER_COMPLETED"]
        assert orders["source"] == "STAGE_SOURCE_SHOPIFY"
        assert "eventCount" not in orders


def test_order_like_events_are_counted_and_belong_to_no_stage(demo, connection, counts):
    pages = demo.pages(f"{EVENTS}/ListEventDefinitions", {"parent": connection["name"]})
    definitions = [definition for page in pages for definition in page.get("eventDefinitions", [])]
    assert {definition["event"] for definition in definitions} >= set(counts)
    order_like = [definition for definition in definitions if definition.get("orderLike")]
    assert order_like
    assert not any("stage" in definition or "suggestedStage" in definition for definition in order_like)


def test_an_event_definition_tells_when_posthog_first_and_last_saw_it(demo, connection, counts):
    pages = demo.pages(f"{EVENTS}/ListEventDefinitions", {"parent": connection["name"]})
    definitions = {definition["event"]: definition for page in pages for definition in page["eventDefinitions"]}
    moment = datetime.fromisoformat
    for name in counts:
        request = {"parent": connection["name"], "eventNames": [name], "pageSize": 1}
        (oldest,) = demo.call(f"{EVENTS}/ListEvents", request)["events"]
        first, last = (moment(definitions[name][field]) for field in ("createTime", "lastSeenTime"))
        assert first <= moment(oldest["createTime"]) < last


def test_a_filter_by_orders_is_refused(demo, window):
    with pytest.raises(grpc.RpcError) as refused:
        demo.call(f"{EVENTS}/ListMappedEvents", {**window, "stages": ["FUNNEL_STAGE_ORDER_COMPLETED"]})
    assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert "orders/create" in refused.value.details()


def test_a_stream_that_broke_off_resumes_and_reaches_every_stored_event(demo, connection):
    stage = "FUNNEL_STAGE_CHECKOUT_STARTED"
    request = {"parent": connection["name"], "stages": [stage], "start": "START_BEGINNING"}
    followed = {}

    def follow(answers) -> dict:
        """Passes the answers on once their changes are applied."""
        for answer in answers:
            for change in answer.get("changes", []):
                if change["kind"] == "KIND_UPSERT":
                    followed[change["uuid"]] = change["event"]
                else:
                    followed.pop(change["uuid"], None)
            yield answer

    broken_off = next(follow(demo.stream(f"{EVENTS}/StreamEvents", request)))
    assert followed
    assert not broken_off.get("caughtUp"), "the shop has more events of this stage than one answer holds"
    resumed = demo.stream(f"{EVENTS}/StreamEvents", {**request, "resumeToken": broken_off["resumeToken"]}, timeout=120)
    assert any(answer.get("caughtUp") for answer in follow(resumed))

    stored = listed(demo, "ListMappedEvents", {"parent": connection["name"], "stages": [stage]})
    assert followed == {event["uuid"]: event for event in stored}


def test_every_link_is_evidence_when_its_distinct_id_is_resolved(demo, connection):
    page = demo.call(f"{IDENTITIES}/ListIdentityLinks", {"parent": connection["name"], "pageSize": 50})
    links = page["identityLinks"]
    keys = [{"distinctId": name} for name in dict.fromkeys(link["distinctId"] for link in links)]
    answer = demo.call(f"{IDENTITIES}/ResolveIdentities", {"parent": connection["name"], "keys": keys})
    resolved = {one["key"]["distinctId"]: one for one in answer["identities"]}
    for link in links:
        identity = resolved[link["distinctId"]]
        if "distinctId" in link["linked"]:
            assert link in [merge["identityLink"] for merge in identity["merges"]]
            continue
        assert identity["status"] in ("STATUS_RESOLVED", "STATUS_CONFLICT")
        assert ("primaryCustomerId" in identity) == (len(identity.get("customerIds", [])) == 1)
        assert (link["distinctId"], link["linked"]) in [(found["distinctId"], found["linked"]) for found in identity["evidence"]]


@pytest.fixture(scope="module")
def conflicts(demo, connection) -> list[dict]:
    """The persons with several customer ids: the demo's shop has a few who made themselves two accounts."""
    pages = demo.pages(f"{IDENTITIES}/ListIdentityConflicts", {"parent": connection["name"], "pageSize": 5})
    listed = [identity for page in pages for identity in page.get("identities", [])]
    assert listed
    return listed


def test_listed_conflicts_are_persons_of_several_customers(conflicts):
    for identity in conflicts:
        assert identity["status"] == "STATUS_CONFLICT"
        assert len(identity["customerIds"]) > 1
        assert "primaryCustomerId" not in identity


def test_the_customers_of_a_conflict_are_one_persons_and_their_trails_say_so(demo, connection, conflicts):
    identity = conflicts[0]
    for customer in identity["customerIds"]:
        asked = {"parent": connection["name"], "key": {"customerId": customer}}
        trail = demo.call(f"{TRAILS}/ListCustomerTrail", asked)
        assert trail["status"] == "STATUS_CONFLICT"
        assert "primaryCustomerId" not in trail
        assert set(trail["customerIds"]) == set(identity["customerIds"])
        assert set(trail["personIds"]) == set(identity["personIds"])


def test_a_stream_of_links_that_broke_off_resumes_and_reaches_every_link(demo, connection):
    request = {"parent": connection["name"], "start": "START_BEGINNING"}
    followed = {}

    def which(link) -> tuple:
        """What tells a link from all others."""
        ((kind, value),) = link["linked"].items()
        return link["distinctId"], kind, value, link["evidence"], link.get("property")

    def follow(answers) -> dict:
        """Passes the answers on once their changes are applied."""
        for answer in answers:
            for change in answer.get("changes", []):
                if change["kind"] == "KIND_UPSERT":
                    followed[which(change["identityLink"])] = change["identityLink"]
                else:
                    followed.pop(which(change["identityLink"]), None)
            yield answer

    broken_off = next(follow(demo.stream(f"{IDENTITIES}/StreamIdentityChanges", request)))
    assert followed
    assert not broken_off.get("caughtUp"), "the shop has more links than one answer holds"
    resumed = demo.stream(f"{IDENTITIES}/StreamIdentityChanges", {**request, "resumeToken": broken_off["resumeToken"]}, timeout=120)
    assert any(answer.get("caughtUp") for answer in follow(resumed))

    pages = demo.pages(f"{IDENTITIES}/ListIdentityLinks", {"parent": connection["name"], "pageSize": 1000})
    listed = {which(link): link for page in pages for link in page.get("identityLinks", [])}
    for links in (followed, listed):
        for link in links.values():
            if link["evidence"] == "EVIDENCE_PERSON_MAPPING":
                del link["lastSeenTime"]  # Every full read of mappings moves it, and the stream says so once for all.
    assert followed == listed


def test_an_id_that_nobody_has_is_unknown(demo, connection):
    request = {"parent": connection["name"], "keys": [{"distinctId": "nobody has this id"}]}
    (identity,) = demo.call(f"{IDENTITIES}/ResolveIdentities", request)["identities"]
    assert identity["status"] == "STATUS_UNKNOWN"


@pytest.fixture(scope="module")
def cohorts(demo, connection) -> dict[str, list[dict]]:
    """Each cohort's members, by the cohort's name."""
    listed = [cohort for page in demo.pages(f"{COHORTS}/ListCohorts", {"parent": connection["name"]}) for cohort in page["cohorts"]]
    members = {}
    for cohort in listed:
        pages = demo.pages(f"{COHORTS}/ListCohortMembers", {"parent": cohort["name"], "pageSize": 500})
        members[cohort["name"]] = [member for page in pages for member in page.get("cohortMembers", [])]
        assert len(members[cohort["name"]]) == int(cohort["memberCount"])
        # PostHog still counts the one person that test_erasure.py erases here.
        assert int(cohort["posthogCount"]) - int(cohort["memberCount"]) in (0, 1)
    return members


def test_cohorts_of_both_kinds_are_listed_with_as_many_members_as_posthog_says(demo, connection, cohorts):
    page = demo.call(f"{COHORTS}/ListCohorts", {"parent": connection["name"]})
    assert {cohort["kind"] for cohort in page["cohorts"]} == {"KIND_DYNAMIC", "KIND_STATIC"}
    assert all(cohort["displayName"] and cohort["syncTime"] for cohort in page["cohorts"])
    for members in cohorts.values():
        assert len({member["personId"] for member in members}) == len(members) > 0


def test_a_members_ids_are_those_that_its_person_is_resolved_to(demo, connection, cohorts):
    members = next(iter(cohorts.values()))[:50]
    keys = [{"personId": member["personId"]} for member in members]
    answer = demo.call(f"{IDENTITIES}/ResolveIdentities", {"parent": connection["name"], "keys": keys})
    for member, identity in zip(members, answer["identities"], strict=True):
        for ids in ("customerIds", "distinctIds", "primaryCustomerId"):
            assert member.get(ids) == identity.get(ids)
    assert any(member.get("customerIds") for member in members), "buyers are customers"


def test_whoever_is_listed_is_a_member_and_nobody_else(demo, cohorts):
    first, *others = cohorts
    mine = {member["personId"] for member in cohorts[first]}
    strangers = {member["personId"] for name in others for member in cohorts[name]} - mine
    asked = [*sorted(mine)[:400], *sorted(strangers)[:400]]
    keys = [{"personId": person} for person in asked]
    answer = demo.call(f"{COHORTS}/CheckCohortMembership", {"name": first, "keys": keys})
    for person, membership in zip(asked, answer["memberships"], strict=True):
        assert membership["key"] == {"personId": person}
        # Somebody who is another person too, may be a member as that one.
        assert set(membership.get("personIds", [])) <= mine
        assert membership.get("member", False) == bool(membership.get("personIds")) >= (person in mine)


def test_a_follower_of_changes_has_every_cohorts_members(demo, connection, cohorts):
    followed = {name: set() for name in cohorts}
    for answer in demo.stream(f"{COHORTS}/StreamCohortChanges", {"parent": connection["name"]}, timeout=120):
        for change in answer.get("changes", []):
            if change["kind"] == "KIND_ENTERED":
                followed[change["cohort"]].add(change["personId"])
            elif change["kind"] == "KIND_ERASED":
                assert "cohort" not in change
                for members in followed.values():
                    members.discard(change["personId"])
            else:
                followed[change["cohort"]].remove(change["personId"])
        if answer.get("caughtUp"):
            break
    assert followed == {name: {member["personId"] for member in members} for name, members in cohorts.items()}


def test_a_pages_elements_add_up_to_its_clicks(demo, connection, day):
    asked = {"parent": connection["name"], **days(day, 3)}
    pages = [row for page in demo.pages(f"{CLICKMAPS}/ListClickmapPages", {**asked, "pageSize": 2}) for row in page.get("clickmapPages", [])]
    clicks = [int(page["clickCount"]) for page in pages]
    assert clicks == sorted(clicks, reverse=True)
    assert len({page["page"] for page in pages}) == len(pages)
    most = pages[0]
    answers = list(demo.pages(f"{CLICKMAPS}/ListClickmapElements", {**asked, "page": most["page"], "pageSize": 2}))
    assert all(answer["clickmapPage"] == most for answer in answers)
    elements = [element for answer in answers for element in answer["clickmapElements"]]
    assert sum(int(element["clickCount"]) for element in elements) == int(most["clickCount"])
    assert sum(element["clickShare"] for element in elements) == pytest.approx(1)
    assert len({element["selector"] for element in elements}) == len(elements)


def test_a_clickmap_has_each_click_of_the_day_once(demo, connection, day, counts):
    asked = {"parent": connection["name"], **days(day, 1)}
    pages = [row for page in demo.pages(f"{CLICKMAPS}/ListClickmapPages", asked) for row in page.get("clickmapPages", [])]
    clicks = sum(int(page["clickCount"]) for page in pages)
    rage = sum(int(page.get("rageClickCount", 0)) for page in pages)
    assert rage == int(counts.get("$rageclick", {}).get("eventCount", 0))
    # A rage click is told by its own $autocapture too.
    assert clicks == int(counts["$autocapture"]["eventCount"])


def test_a_customers_trail_holds_every_event_of_its_ids(demo, connection):
    (link,) = demo.call(f"{IDENTITIES}/ListIdentityLinks", {"parent": connection["name"], "pageSize": 1})["identityLinks"]
    asked = {"parent": connection["name"], "key": {"distinctId": link["distinctId"]}}
    answers = list(demo.pages(f"{TRAILS}/ListCustomerTrail", {**asked, "pageSize": 7}))
    trail = [step for answer in answers for step in answer.get("trailEvents", [])]
    stored = {}
    for distinct_id in answers[0]["distinctIds"]:
        pages = demo.pages(f"{EVENTS}/ListEvents", {"parent": connection["name"], "distinctId": distinct_id})
        stored |= {event["uuid"]: event for page in pages for event in page.get("events", [])}
    assert {step["uuid"] for step in trail} == set(stored)
    assert len(trail) == len(stored)
    for step in trail:
        event = stored[step["uuid"]]
        assert all(step.get(field) == event.get(field) for field in ("event", "stage", "path", "utmSource", "referrer", "sessionId"))
        assert ("element" in step) == ("elementsChain" in event)
    (identity,) = demo.call(f"{IDENTITIES}/ResolveIdentities", {"parent": asked["parent"], "keys": [asked["key"]]})["identities"]
    for answer in answers:
        assert all(answer.get(field) == identity.get(field) for field in ("status", "primaryCustomerId", "personIds", "customerIds"))
    newest = demo.pages(f"{TRAILS}/ListCustomerTrail", {**asked, "order": "EVENT_ORDER_NEWEST_FIRST"})
    assert [step["uuid"] for answer in newest for step in answer["trailEvents"]] == [step["uuid"] for step in trail][::-1]


def test_a_session_is_listed_in_the_order_of_its_events(demo, window):
    session = next(event["sessionId"] for event in listed(demo, "ListEvents", window) if "sessionId" in event)
    pages = demo.pages(f"{TRAILS}/ListSessionEvents", {"parent": window["parent"], "sessionId": session, "pageSize": 3})
    steps = [step for page in pages for step in page["trailEvents"]]
    assert {step["sessionId"] for step in steps} == {session}
    pages = demo.pages(f"{EVENTS}/ListEvents", {"parent": window["parent"], "sessionId": session})
    assert [step["uuid"] for step in steps] == [event["uuid"] for page in pages for event in page["events"]]


def reason_in(error: grpc.RpcError) -> bytes:
    """The serialised google.rpc.Status, which holds the ErrorInfo with its reason as text."""
    return dict(error.trailing_metadata())["grpc-status-details-bin"]


def test_a_connection_that_does_not_exist_is_not_found(demo, window):
    with pytest.raises(grpc.RpcError) as refused:
        demo.call(f"{EVENTS}/ListEvents", {**window, "parent": "namespaces/nowhere/connections/none"})
    assert refused.value.code() == grpc.StatusCode.NOT_FOUND
    assert b"CONNECTION_NOT_FOUND" in reason_in(refused.value)


def test_a_token_carried_to_another_request_is_refused(demo, window):
    token = demo.call(f"{EVENTS}/ListEvents", {**window, "pageSize": 1})["nextPageToken"]
    with pytest.raises(grpc.RpcError) as refused:
        demo.call(f"{EVENTS}/ListEvents", {**window, "distinctId": "another", "pageToken": token})
    assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert b"TOKEN_INVALID" in reason_in(refused.value)
