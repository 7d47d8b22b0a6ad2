"""What pods may be, what accounts may do, and whom they may reach."""

import pytest
from chart import PRODUCTION, STAGING, example_values


@pytest.fixture
def everything(helm):
    """All that the chart can make but the objects of other projects."""
    return helm.template(*STAGING, "grpc.autoscaling.enabled=true")


def rules(rendered, kind: str, name: str) -> dict[str, set[str]]:
    """Verbs by resource."""
    verbs: dict[str, set[str]] = {}
    for rule in rendered.one(kind, name)["rules"]:
        for resource in rule["resources"]:
            verbs.setdefault(resource, set()).update(rule["verbs"])
    return verbs


@pytest.mark.parametrize("values", example_values(), ids=lambda path: path.stem)
def test_every_pod_is_restricted(helm, values):
    pods = helm.template(files=[values]).pods()
    assert pods
    for name, pod in pods.items():
        assert pod["securityContext"]["runAsNonRoot"] is True, name
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        for container in pod["containers"]:
            context = container["securityContext"]
            assert context["allowPrivilegeEscalation"] is False, name
            assert context["readOnlyRootFilesystem"] is True, name
            assert context["capabilities"] == {"drop": ["ALL"]}, name
            assert container["resources"]["requests"] and container["resources"]["limits"]["memory"], name
        assert not any("hostPath" in volume for volume in pod.get("volumes", [])), name
        # The variables of a Service called ordinary-posthog-… would look like the program's own.
        assert pod["enableServiceLinks"] is False, name


def test_only_the_operator_and_the_uninstall_hook_have_a_token(everything):
    accounts = {found["metadata"]["name"]: found for found in everything.of("ServiceAccount")}
    for name, pod in everything.pods().items():
        account = accounts.get(pod.get("serviceAccountName", ""), {})
        token = pod.get("automountServiceAccountToken", account.get("automountServiceAccountToken", True))
        assert token == name.endswith(("-operator", "-uninstall")), name
    assert accounts["ordinary-posthog-sync"]["automountServiceAccountToken"] is False


def test_only_they_have_rights(everything):
    bound = {
        subject["name"]
        for kind in ("ClusterRoleBinding", "RoleBinding")
        for binding in everything.of(kind)
        for subject in binding["subjects"]
    }
    assert bound == {"ordinary-posthog-operator", "ordinary-posthog-uninstall"}


def test_nobody_may_look_around_among_secrets(helm, everything):
    for found in everything.of("ClusterRole") + everything.of("Role"):
        for rule in found["rules"]:
            assert "*" not in rule["verbs"] + rule["resources"] + rule["apiGroups"], found["metadata"]["name"]
            if "secrets" in rule["resources"]:
                assert not {"list", "watch", "deletecollection"} & set(rule["verbs"]), found["metadata"]["name"]


def test_the_right_to_forget_a_key_is_granted_by_a_value_alone(helm):
    assert rules(helm.template(*PRODUCTION), "ClusterRole", "-operator")["secrets"] == {"get", "patch", "delete"}
    withheld = helm.template(*PRODUCTION, "operator.forgetSecrets=false")
    assert rules(withheld, "ClusterRole", "-operator")["secrets"] == {"get"}
    assert withheld.operator_config()["mayForgetSecrets"] is False


def test_the_operator_neither_makes_nor_deletes_connections(everything):
    assert rules(everything, "ClusterRole", "-operator")["posthogconnections"] == {"get", "list", "watch", "patch"}


def test_merchants_may_edit_connections_but_not_their_status(helm, everything):
    assert "posthogconnections/status" not in rules(everything, "ClusterRole", "-edit")
    assert rules(everything, "ClusterRole", "-view")["posthogconnections"] == {"get", "list", "watch"}
    without = helm.template(*PRODUCTION, "rbac.aggregateToDefaultRoles=false")
    assert {role["metadata"]["name"].rsplit("-", 1)[-1] for role in without.of("ClusterRole")} == {"operator", "uninstall"}


def ports(policy: dict, direction: str) -> set[int]:
    return {port["port"] for rule in policy["spec"].get(direction, []) for port in rule["ports"]}


def test_each_role_reaches_what_it_needs_alone(everything):
    def of(name):
        return everything.one("NetworkPolicy", name)

    assert ports(of("posthog-operator"), "egress") == {53, 443, 6443, 5432, 6432}
    assert ports(of("-sync"), "egress") == {53, 443, 5432, 6432}
    assert ports(of("-grpc"), "egress") == {53, 5432, 6432}
    assert ports(of("-staging-postgresql"), "egress") == set()
    assert ports(of("posthog-operator"), "ingress") == {9464}
    assert ports(of("-sync"), "ingress") == set()
    assert ports(of("-grpc"), "ingress") == {50051, 9464}
    assert ports(of("-staging-postgresql"), "ingress") == {5432}
    assert all(set(policy["spec"]["policyTypes"]) == {"Ingress", "Egress"} for policy in everything.of("NetworkPolicy"))


def test_jobs_do_not_reach_link_local_addresses(everything):
    [rule] = [rule for rule in everything.one("NetworkPolicy", "-sync")["spec"]["egress"] if rule["ports"][0]["port"] == 443]
    assert [block["ipBlock"]["except"] for block in rule["to"]] == [["169.254.0.0/16"], ["fe80::/10"]]


def test_network_policies_can_be_narrowed_and_left_out(helm):
    assert helm.template(*STAGING, "networkPolicy.enabled=false").of("NetworkPolicy") == []
    narrowed = helm.template(*PRODUCTION, "networkPolicy.grpc.from[0].podSelector.matchLabels.a=b")
    [rule] = [rule for rule in narrowed.one("NetworkPolicy", "-grpc")["spec"]["ingress"] if rule["ports"][0]["port"] == 50051]
    allowed = [peer["podSelector"]["matchLabels"] for peer in rule["from"]]
    assert {"a": "b"} in allowed
    test_pod = narrowed.one("Pod", "-test")["metadata"]["labels"].items()
    assert any(labels.items() <= test_pod for labels in allowed), "`helm test` is locked out"
