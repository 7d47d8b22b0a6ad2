"""A merchant's PostHog in a cluster, from the first install to the last trace: each test goes on where the last one ended."""

import json

from cluster import KEY, MERCHANT, PATIENCE, RELEASE, ROOT, STAND_IN, SYSTEM, Cluster

CONNECTION = f"namespaces/{MERCHANT}/connections/storefront"
FUNNEL = {"parent": CONNECTION}


def test_helm_installs_chart_and_image(cluster: Cluster):
    cluster.install("install")
    deployments = cluster.get("deployments", namespace=SYSTEM)["items"]
    assert {d["metadata"]["name"]: d["status"]["readyReplicas"] for d in deployments} == {
        f"{RELEASE}-operator": 2,
        f"{RELEASE}-grpc": 1,
    }
    cluster.helm("test", RELEASE, f"--timeout={PATIENCE}s")


def connect(cluster: Cluster) -> None:
    """What the README says, but for the host."""
    cluster.kubectl("create", "secret", "generic", "posthog", f"--from-literal=apiKey={KEY}")
    example = (ROOT / "examples" / "storefront.yaml").read_text()
    assert "host: https://eu.posthog.com" in example
    # So rarely that a tick of the timetable hardly falls among the tests, which count rows.
    daily = f"{example}  refresh: {{interval: 24h, lookback: 24h}}\n"
    cluster.kubectl("apply", "--filename=-", text=daily.replace("https://eu.posthog.com", STAND_IN))


def test_a_merchant_without_a_plan_is_told_so(cluster: Cluster):
    connect(cluster)
    connection = cluster.await_condition("PlanEligible", "False")
    plan = next(c for c in connection["status"]["conditions"] if c["type"] == "PlanEligible")
    assert plan["reason"] == "PlanUnknown"
    assert not cluster.jobs()


def test_a_plan_leads_to_ready_and_real_jobs_fill_the_database(cluster: Cluster):
    cluster.kubectl("label", "namespace", MERCHANT, "ordinary.dev/plan=starter")
    cluster.kubectl("wait", "--for=condition=Ready", "phc/storefront", f"--timeout={PATIENCE}s")
    connection = cluster.await_condition("BackfillComplete")
    assert connection["status"]["project"]["name"] == "Linden & Loom"
    assert connection["status"]["key"]["maskedValue"] != KEY and KEY not in json.dumps(connection)
    stored = int(cluster.sql("SELECT count(*) FROM events"))
    # Some are stamped hours ahead, and wait for the run whose window holds them.
    shop = cluster.events_of_the_shop()
    assert 0.98 * shop <= stored <= shop
    status = cluster.get("phc", "storefront")["status"]
    assert status["backfill"]["percent"] == 100
    # A thirtieth of the shop, more or less.
    assert 0.01 * shop < status["eventsLast24h"] < 0.1 * shop


def test_a_service_queries_grpc_through_the_service(cluster: Cluster):
    cluster.kubectl("wait", "--for=condition=Ready", "pod/client", f"--timeout={PATIENCE}s", namespace=SYSTEM)
    funnel = cluster.grpc("EventService/GetFunnel", FUNNEL)
    counts = [int(stage.get("eventCount", 0)) for day in funnel["days"] for stage in day.get("stages", [])]
    assert sum(counts) > 0, funnel
    connection = cluster.grpc("ConnectionService/GetConnection", {"name": CONNECTION})
    assert connection["connection"]["name"] == CONNECTION


def test_a_refresh_comes_when_it_is_asked_for(cluster: Cluster):
    asked = "2026-03-01T12:00:00Z"
    before = cluster.connection()["status"].get("lastSync", {}).get("completionTime", "")
    cluster.kubectl("annotate", "phc", "storefront", f"posthog.ordinary.dev/refresh-requested-at={asked}")

    def refreshed() -> bool:
        status = cluster.connection()["status"]
        ended = status.get("lastSync", {}).get("completionTime", "")
        return status.get("lastHandledRefreshRequest") == asked and ended > before

    cluster.eventually(refreshed, "the refresh that was asked for")
    cluster.await_condition("Synced")


def test_an_upgrade_keeps_everything(cluster: Cluster):
    def kept() -> dict:
        names = [f"{RELEASE}-grpc-tls", f"{RELEASE}-grpc-client-tls", f"{RELEASE}-staging-postgresql"]
        return {
            "secrets": [cluster.get("secret", name, namespace=SYSTEM)["data"] for name in names],
            "connection": cluster.connection()["metadata"]["uid"],
            "spec": cluster.connection()["spec"],
            "events": cluster.sql("SELECT count(*) FROM events"),
            "database": cluster.get("pod", f"{RELEASE}-staging-postgresql-0", namespace=SYSTEM)["metadata"]["uid"],
        }

    before = kept()
    cluster.install("upgrade", "log.filter=debug", "operator.maxConcurrentSyncs=5")
    assert kept() == before
    cluster.await_condition("Ready")
    cluster.helm("test", RELEASE, f"--timeout={PATIENCE}s")


def test_a_disconnect_stops_reads_and_cleans_up(cluster: Cluster):
    cluster.kubectl("delete", "phc", "storefront", "--timeout=60s")
    answer = cluster.try_grpc("EventService/GetFunnel", FUNNEL)
    assert answer.returncode != 0 and "NotFound" in answer.stderr, answer
    cluster.eventually(lambda: not cluster.jobs(), "no Jobs")
    secrets = cluster.get("secrets", namespace=SYSTEM)["items"]
    assert not [s for s in secrets if "posthog.ordinary.dev/connection-uid" in s["metadata"].get("labels", {})]
    merchants = [s["metadata"]["name"] for s in cluster.get("secrets")["items"]]
    assert "posthog" not in merchants, "the merchant's key is forgotten too, and nothing else was in its Secret"
    assert cluster.sql("SELECT count(*) > 0 FROM events") == "t", "rows stay for the grace period"


def test_a_connection_made_again_adopts_its_rows(cluster: Cluster):
    before = cluster.sql("SELECT count(*) FROM events")
    connect(cluster)
    cluster.await_condition("Ready")
    cluster.await_condition("BackfillComplete")
    assert int(cluster.sql("SELECT count(*) FROM events")) >= int(before)
    cluster.grpc("EventService/GetFunnel", FUNNEL)


def test_rows_are_purged_by_a_pod_when_the_grace_period_is_over(cluster: Cluster):
    no_grace = json.dumps({"spec": {"deletionPolicy": "Delete", "deletionGracePeriod": "0s"}})
    cluster.kubectl("patch", "phc", "storefront", "--type=merge", f"--patch={no_grace}")
    cluster.await_condition("Ready")
    cluster.kubectl("delete", "phc", "storefront", "--timeout=60s")

    def purge() -> dict | None:
        purges = [job for job in cluster.jobs() if job["metadata"]["labels"]["posthog.ordinary.dev/kind"] == "purge"]
        return next((job for job in purges if job["status"].get("succeeded")), None)

    job = cluster.eventually(purge, "the purge has ended well")
    assert job["metadata"]["annotations"]["posthog.ordinary.dev/connection"] == f"{MERCHANT}/storefront"
    for table in ("events", "daily_event_counts", "identity_facts", "person_links", "runs", "connections"):
        assert cluster.sql(f"SELECT count(*) FROM {table}") == "0", table
    connect(cluster)
    cluster.await_condition("BackfillComplete")
    assert int(cluster.sql("SELECT count(*) FROM events")) >= 0.98 * cluster.events_of_the_shop()


def test_an_uninstall_leaves_the_connection_and_nothing_hangs(cluster: Cluster):
    cluster.helm("uninstall", RELEASE, "--wait", f"--timeout={PATIENCE}s")
    connection = cluster.connection()
    assert "finalizers" not in connection["metadata"]
    assert cluster.get("secret", "posthog")["data"], "the merchant's Secret is untouched"
    assert not cluster.get("deployments", namespace=SYSTEM)["items"]
    cluster.kubectl("delete", "phc", "storefront", "--timeout=30s")
    cluster.kubectl("delete", "namespace", MERCHANT, f"--timeout={PATIENCE}s")
    cluster.kubectl("delete", "namespace", SYSTEM, f"--timeout={PATIENCE}s")
    cluster.kubectl("delete", "crd", "posthogconnections.integrations.ordinary.dev", "--timeout=60s")
