"""The chart on a real API server: what it makes is valid there, and survives upgrades and uninstalls."""

import shutil

import pytest
import yaml
from chart import CHART, CONNECTION, NAMESPACE, RELEASE, STAGING, Helm, example_values
from waiting import eventually

# Its definition belongs to another project and is not there.
NO_MONITOR = "serviceMonitor.enabled=false"


def dry_run(cluster, rendered):
    """Has the server check everything, without keeping it; a warning is an error."""
    text = yaml.safe_dump_all(rendered)
    return cluster.try_ask("apply", "--dry-run=server", "--warnings-as-errors", "--filename", "-", text=text)


@pytest.mark.parametrize("values", example_values(), ids=lambda path: path.stem)
def test_every_example_is_valid_and_restricted(helm, cluster, values):
    checked = dry_run(cluster, helm.template(NO_MONITOR, files=[values]))
    assert checked.returncode == 0, checked.stderr


def test_the_server_would_tell_of_a_pod_that_may_too_much(helm, cluster):
    checked = dry_run(cluster, helm.template(*STAGING, "containerSecurityContext.allowPrivilegeEscalation=true"))
    assert checked.returncode != 0
    assert 'would violate PodSecurity "restricted' in checked.stderr


def kept(cluster) -> list[dict]:
    """What must stay the same."""
    names = ("grpc-tls", "grpc-client-tls", "staging-postgresql")
    return [cluster.data(f"{RELEASE}-{name}") for name in names]


def test_an_upgrade_keeps_certificates_password_and_connections(helm, cluster, installed):
    cluster.ask("apply", "--filename", str(CONNECTION), "--namespace", "default")
    before = kept(cluster)
    # Whoever changes to the other version of Helm keeps the release.
    other = Helm(shutil.which("helm3" if helm.program.endswith("helm") else "helm"))
    for version in (helm, other, helm):
        installed(version, "upgrade", RELEASE, str(CHART), "--set", f"{STAGING[0]},operator.replicas=3")
    assert kept(cluster) == before
    assert cluster.ask("get", "deployment", f"{RELEASE}-operator", "--output", "jsonpath={.spec.replicas}") == "3"
    cluster.ask("get", "phc", "storefront", "--namespace", "default")


def test_an_uninstall_leaves_the_connections_and_the_next_install_takes_them_up(helm, cluster, installed):
    cluster.ask("apply", "--filename", str(CONNECTION), "--namespace", "default")
    password = cluster.data(f"{RELEASE}-staging-postgresql")
    installed(helm, "uninstall", RELEASE, "--no-hooks")
    cluster.ask("get", "phc", "storefront", "--namespace", "default")
    assert cluster.data(f"{RELEASE}-staging-postgresql") == password
    for kind in ("deployments", "roles", "serviceaccounts/ordinary-posthog-operator", "networkpolicies"):
        assert "operator" not in cluster.try_ask("get", kind, "--output", "name").stdout
    assert NAMESPACE not in cluster.ask("get", "clusterroles,clusterrolebindings", "--output", "name")

    installed(helm, "install", RELEASE, str(CHART), "--set", STAGING[0])
    assert cluster.data(f"{RELEASE}-staging-postgresql") == password
    cluster.ask("get", "phc", "storefront", "--namespace", "default")


def test_each_account_has_the_rights_it_needs_and_no_more(cluster, installed):
    def may(verb, resource, namespace="default", account=f"{RELEASE}-operator"):
        return cluster.may(account, verb, resource, namespace)

    def has(verb, resource, namespace="default"):
        eventually(f"it may {verb} {resource}", lambda: may(verb, resource, namespace))

    has("get", "secrets")
    assert not may("list", "secrets") and not may("watch", "secrets")
    assert not may("list", "secrets", NAMESPACE)
    has("create", "secrets", NAMESPACE)
    assert not may("create", "secrets")
    has("watch", "posthogconnections")
    assert not may("delete", "posthogconnections")
    has("create", "jobs.batch", NAMESPACE)
    assert not may("create", "jobs.batch")
    has("update", "leases.coordination.k8s.io/ordinary-posthog-operator", NAMESPACE)
    assert not may("update", "leases.coordination.k8s.io/somebody-elses", NAMESPACE)
    for account in (f"{RELEASE}-sync", f"{RELEASE}-grpc"):
        assert not may("get", "secrets", NAMESPACE, account)
        assert not may("get", "posthogconnections", "default", account)
