"""The operator itself with the file, the account and the rights that the chart gives it."""

import json
import subprocess
from pathlib import Path

import pytest
import yaml
from chart import CONNECTION, NAMESPACE, RELEASE, STAGING
from programs import built, serving
from waiting import PATIENCE, eventually

MERCHANT = "acme"
FINALIZER = "posthog.ordinary.dev/disconnect"

# What is under test is the same with either version.
pytestmark = pytest.mark.parametrize("helm", ["helm"], indirect=True)


def environment_of(cluster, account: str, folder: Path) -> dict[str, str]:
    """Has a program reach the cluster as this ServiceAccount."""
    config = json.loads(cluster.ask("config", "view", "--raw", "--flatten", "--output", "json"))
    [user] = config["users"]
    user["user"] = {"token": cluster.ask("create", "token", account).strip()}
    path = folder / f"{account}.kubeconfig"
    path.write_text(json.dumps(config))
    return {"KUBECONFIG": str(path), "PATH": "/nowhere", "HOME": str(folder)}


@pytest.fixture
def connection(cluster, installed, tmp_path):
    """A connection of a merchant to a stand-in that knows its key."""
    with serving("examples/serve", str(tmp_path), "200", "3") as stand_in:
        document = yaml.safe_load(CONNECTION.read_text())
        document["spec"] |= {"host": stand_in["url"], "projectId": stand_in["project"]}
        cluster.ask("create", "namespace", MERCHANT)
        cluster.ask("label", "namespace", MERCHANT, "ordinary.dev/plan=starter")
        key = f"--from-literal=apiKey={stand_in['key']}"
        cluster.ask("create", "secret", "generic", "posthog", key, "--namespace", MERCHANT)
        cluster.ask("apply", "--namespace", MERCHANT, "--filename", "-", text=yaml.safe_dump(document))
        yield
        cluster.ask("delete", "namespace", MERCHANT, "--timeout", f"{PATIENCE}s")


@pytest.fixture
def operator(helm, cluster, connection, tmp_path):
    """The operator, running as its pods would."""
    rendered = helm.template(*STAGING, "posthog.allowInsecureHosts={127.0.0.1}")
    config = tmp_path / "operator.yaml"
    config.write_text(rendered.one("ConfigMap", "-operator")["data"]["operator.yaml"])
    settings = {
        "POD_NAME": "operator-0",
        "ORDINARY_POSTHOG_OPERATOR_CONFIG": str(config),
        "ORDINARY_POSTHOG_DATABASE_URL": f"sqlite://{tmp_path}/store.db",
        "ORDINARY_POSTHOG_ADMIN_ADDR": "127.0.0.1:0",
        "ORDINARY_POSTHOG_LOG_FORMAT": "json",
    }
    account = f"{RELEASE}-operator"
    eventually("its rights in all namespaces", lambda: cluster.may(account, "watch", "posthogconnections", MERCHANT))
    eventually("its rights in its own", lambda: cluster.may(account, "create", "jobs.batch", NAMESPACE))
    environment = environment_of(cluster, account, tmp_path) | settings
    log = tmp_path / "operator.log"
    with log.open("wb") as output:
        process = subprocess.Popen([built("ordinary-posthog"), "operator"], env=environment, stderr=output)
    try:
        yield process
        process.terminate()
        assert process.wait(PATIENCE) == 0, log.read_text()
        # What the API server refuses for want of a right is said so.
        assert "forbidden" not in log.read_text().lower(), log.read_text()
    finally:
        process.kill()
        process.wait()
        print(log.read_text())


def get(cluster, *arguments: str) -> dict:
    return json.loads(cluster.ask("get", *arguments, "--output", "json"))


def stored(cluster) -> dict:
    return get(cluster, "phc", "storefront", "--namespace", MERCHANT)


def test_its_rights_and_its_file_are_all_that_it_needs(cluster, operator):
    def of_the_run(kind):
        return get(cluster, kind, "--selector", "posthog.ordinary.dev/connection-uid")["items"]

    def conditions():
        found = stored(cluster).get("status", {}).get("conditions", [])
        return {condition["type"]: condition["status"] for condition in found}

    # The status is written last of all, when the Job has its Secret.
    eventually("the key is checked", lambda: conditions().get("CredentialsValid") == "True")
    # The namespace takes restricted pods alone, so this one is.
    [pod] = eventually("the Job has a pod", lambda: of_the_run("pods"))
    assert pod["spec"]["serviceAccountName"] == f"{RELEASE}-sync"
    [job] = of_the_run("jobs")
    [owner] = get(cluster, "secret", job["metadata"]["name"])["metadata"]["ownerReferences"]
    assert owner["uid"] == job["metadata"]["uid"]

    eventually("an Event tells of it", lambda: get(cluster, "events", "--namespace", MERCHANT)["items"])

    cluster.ask("delete", "phc", "storefront", "--namespace", MERCHANT, "--timeout", f"{PATIENCE}s")
    eventually("its Job is gone", lambda: not of_the_run("jobs"))
    # Nothing but our key was in it.
    left = cluster.try_ask("get", "secret", "posthog", "--namespace", MERCHANT)
    assert "NotFound" in left.stderr


def test_the_uninstall_hook_lets_go_of_connections_and_leaves_them(helm, cluster, operator, tmp_path):
    eventually("the finalizer is set", lambda: FINALIZER in stored(cluster)["metadata"].get("finalizers", []))
    operator.terminate()
    operator.wait(PATIENCE)

    rendered = helm.template(*STAGING)
    job = rendered.one("Job", "-uninstall")
    rights = [found for found in rendered if "-uninstall" in found["metadata"]["name"] and found["kind"] != "Job"]
    cluster.ask("apply", "--filename", "-", text=yaml.safe_dump_all(rights))
    pod = job["spec"]["template"]["spec"]
    command = [built("ordinary-posthog"), *pod["containers"][0]["args"]]
    account = pod["serviceAccountName"]
    operators = f"deployments.apps/{RELEASE}-operator"
    eventually("its rights in all namespaces", lambda: cluster.may(account, "list", "posthogconnections", MERCHANT))
    eventually("its rights in its own", lambda: cluster.may(account, "get", operators, NAMESPACE))
    environment = environment_of(cluster, account, tmp_path)
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0, done.stderr

    assert "finalizers" not in stored(cluster)["metadata"]
    assert get(cluster, "deployment", f"{RELEASE}-operator")["spec"]["replicas"] == 0
    cluster.ask("delete", "phc", "storefront", "--namespace", MERCHANT, "--timeout", f"{PATIENCE}s")
    cluster.ask("delete", "--filename", "-", text=yaml.safe_dump_all(rights))
