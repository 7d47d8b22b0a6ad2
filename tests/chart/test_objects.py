"""What the chart makes, and what each toggle changes of it."""

import base64
import re
import subprocess

import pytest
import yaml
from chart import CHART, NAMESPACE, PRODUCTION, STAGING
from programs import built


def environment(rendered, kind: str, name: str) -> dict:
    """A container's variables."""
    pod = rendered.one(kind, name)["spec"]["template"]["spec"]
    return {variable["name"]: variable.get("value", variable.get("valueFrom")) for variable in pod["containers"][0]["env"]}


def test_the_definition_is_the_generated_one_and_is_kept(helm):
    generated = yaml.safe_load((CHART / "files/crds/posthogconnections.yaml").read_text())
    crd = helm.template(*PRODUCTION).one("CustomResourceDefinition", "")
    assert crd["spec"] == generated["spec"]
    assert crd["metadata"]["name"] == generated["metadata"]["name"]
    assert crd["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"


def test_the_definition_goes_with_the_release_or_is_left_out_if_asked(helm):
    crd = helm.template(*PRODUCTION, "crds.keep=false").one("CustomResourceDefinition", "")
    assert "helm.sh/resource-policy" not in crd["metadata"].get("annotations", {})
    assert helm.template(*PRODUCTION, "crds.enabled=false").of("CustomResourceDefinition") == []


def test_the_database_is_read_from_the_secret_that_values_name(helm):
    rendered = helm.template("database.existingSecret=mine", "database.key=uri")
    wanted = {"secretKeyRef": {"name": "mine", "key": "uri"}}
    for name in ("-operator", "-grpc"):
        assert environment(rendered, "Deployment", name)["ORDINARY_POSTHOG_DATABASE_URL"] == wanted
    assert rendered.operator_config()["job"]["database"] == wanted["secretKeyRef"]
    assert rendered.of("StatefulSet") == []


def test_the_staging_database_is_the_one_that_is_used(helm):
    rendered = helm.template(*STAGING)
    name = "ordinary-posthog-staging-postgresql"
    wanted = {"name": name, "key": "url"}
    assert rendered.operator_config()["job"]["database"] == wanted
    secret = rendered.one("Secret", name)["stringData"]
    assert secret["url"].startswith(f"postgres://ordinary:{secret['password']}@{name}:5432/")
    claim = rendered.one("StatefulSet", name)["spec"]["volumeClaimTemplates"][0]["spec"]
    assert claim["resources"]["requests"]["storage"] == "8Gi"
    spec = helm.template(*STAGING, "stagingPostgresql.persistence.enabled=false").one("StatefulSet", name)["spec"]
    assert "volumeClaimTemplates" not in spec
    assert {"name": "data", "emptyDir": {}} in spec["template"]["spec"]["volumes"]


def test_memory_for_identities_is_told_in_whole_mib(helm):
    for mib in ("0", "256", "16000", "1000000"):
        rendered = helm.template(*PRODUCTION, f"grpc.identityMemoryMiB={mib}")
        assert environment(rendered, "Deployment", "-grpc")["ORDINARY_POSTHOG_IDENTITY_MEMORY_MIB"] == mib


def test_every_setting_of_the_operator_is_reached_by_a_value(helm, tmp_path):
    config = helm.template(
        *PRODUCTION,
        "operator.maxConcurrentSyncs=7",
        "operator.forgetSecrets=false",
        "operator.connectionSelector=shard=a",
        "posthog.regionProbe=false",
        "posthog.allowInsecureHosts={a.example,10.0.0.1}",
        "posthog.caBundle.existingConfigMap=company-ca",
        "posthog.caBundle.key=root.pem",
        "jobs.resources.limits.memory=1Gi",
        "jobs.podLabels.team=x",
        "jobs.podAnnotations.note=y",
        "jobs.nodeSelector.pool=batch",
        "jobs.tolerations[0].key=batch",
        "jobs.priorityClassName=low",
        "jobs.podSecurityContext.runAsNonRoot=true",
        "jobs.affinity.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].weight=1",
        "jobs.backfillDeadlineSeconds=7",
        "jobs.refreshDeadlineSeconds=8",
        "jobs.ttlSeconds=9",
        "jobs.extraEnv[0].name=PGAPPNAME",
        "log.format=text",
        "log.filter=debug",
        "operator.maxConcurrentReconciles=5",
        "imagePullSecrets[0].name=registry",
        "commonLabels.owner=us",
        "image.tag=9.9",
    ).operator_config()
    assert config["namespace"] == NAMESPACE
    assert (config["maxConcurrentSyncs"], config["maxConcurrentReconciles"]) == (7, 5)
    assert config["connectionSelector"] == "shard=a"
    assert (config["mayForgetSecrets"], config["regionProbe"]) == (False, False)
    assert config["allowInsecureHosts"] == ["a.example", "10.0.0.1"]
    job = config["job"]
    assert job["image"].endswith(":9.9")
    assert job["caBundle"] == {"name": "company-ca", "key": "root.pem"}
    assert job["resources"]["limits"]["memory"] == "1Gi"
    assert job["podLabels"] == {"team": "x", "owner": "us"}
    assert job["podAnnotations"] == {"note": "y"}
    assert job["nodeSelector"] == {"pool": "batch"}
    assert job["tolerations"] == [{"key": "batch"}]
    assert job["priorityClassName"] == "low"
    assert job["podSecurityContext"] == {"runAsNonRoot": True}
    assert job["serviceAccountName"] == "ordinary-posthog-sync"
    assert [job[f"{name}Seconds"] for name in ("backfillDeadline", "refreshDeadline", "ttl")] == [7, 8, 9]
    log = [{"name": "ORDINARY_POSTHOG_LOG_FORMAT", "value": "text"}, {"name": "RUST_LOG", "value": "debug"}]
    assert job["env"] == [*log, {"name": "PGAPPNAME"}]
    # What the operator refuses to know it lists, and so all that it knows: values reach each of it.
    for part, section in (("", config), ("job", job)):
        assert set(section) == settings_of_the_operator(part, tmp_path), part


def settings_of_the_operator(section: str, folder) -> set[str]:
    """The names that the operator's file may have in a section, as the program tells them."""
    file = folder / "operator.yaml"
    text = f"{section}:\n  noSuchName: 1\n" if section else "noSuchName: 1\n"
    file.write_text(text)
    command = [built("ordinary-posthog"), "operator", "--config", str(file)]
    said = subprocess.run(command, env={}, capture_output=True, text=True, timeout=60).stderr
    return set(re.search("unknown field `noSuchName`, expected one of (.*)", said)[1].split(", "))


def test_more_authorities_are_mounted_and_named(helm):
    rendered = helm.template(*PRODUCTION, "posthog.caBundle.existingConfigMap=company-ca", "posthog.caBundle.key=root.pem")
    assert environment(rendered, "Deployment", "-operator")["ORDINARY_POSTHOG_CA_BUNDLE"] == "/run/ordinary-posthog/ca/ca.pem"
    for name in ("-operator", "-grpc"):
        pod = rendered.one("Deployment", name)["spec"]["template"]["spec"]
        [volume] = [volume for volume in pod["volumes"] if volume["name"] == "ca"]
        assert volume["configMap"] == {"name": "company-ca", "items": [{"key": "root.pem", "path": "ca.pem"}]}
        assert {"name": "ca", "mountPath": "/run/ordinary-posthog/ca", "readOnly": True} in pod["containers"][0]["volumeMounts"]


def test_a_change_of_the_operators_file_restarts_it(helm):
    def checksum(*sets):
        template = helm.template(*PRODUCTION, *sets).one("Deployment", "-operator")["spec"]["template"]
        return template["metadata"]["annotations"]["checksum/config"]

    assert checksum() == checksum()
    assert checksum() != checksum("operator.maxConcurrentSyncs=21")


def test_numbers_are_written_out(helm):
    config = helm.template(*PRODUCTION, "jobs.backfillDeadlineSeconds=86400000").operator_config()
    assert config["job"]["backfillDeadlineSeconds"] == 86_400_000


def test_the_image_is_named_by_tag_or_digest(helm):
    def image(*sets):
        pod = helm.template(*PRODUCTION, *sets).one("Deployment", "-grpc")["spec"]["template"]["spec"]
        return pod["containers"][0]["image"]

    version = yaml.safe_load((CHART / "Chart.yaml").read_text())["appVersion"]
    repository = "ghcr.io/ordinary/ordinary-posthog"
    assert image() == f"{repository}:{version}"
    assert image("image.tag=1.2") == f"{repository}:1.2"
    digest = f"sha256:{'0' * 64}"
    assert image("image.tag=1.2", f"image.digest={digest}") == f"{repository}@{digest}"
    assert image("image.repository=plain", "global.imageRegistry=r.example:5000").startswith("r.example:5000/plain:")


def test_the_chart_is_of_the_programs_version():
    metadata = subprocess.run(
        ["cargo", "metadata", "--no-deps", "--locked", "--format-version", "1"], cwd=CHART, capture_output=True, check=True
    )
    packages = yaml.safe_load(metadata.stdout)["packages"]
    about = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert about["appVersion"] in {package["version"] for package in packages if package["name"] == "ordinary-posthog"}


def test_grpc_can_be_left_out(helm):
    rendered = helm.template(*PRODUCTION, "grpc.enabled=false")
    assert [found["metadata"]["name"] for found in rendered.of("Deployment")] == ["ordinary-posthog-operator"]
    assert not [found for found in rendered if "grpc" in found["metadata"]["name"]]
    assert rendered.of("Pod") == []


def test_an_autoscaler_takes_the_place_of_a_number_of_replicas(helm):
    assert helm.template(*PRODUCTION).of("HorizontalPodAutoscaler") == []
    rendered = helm.template(*PRODUCTION, "grpc.autoscaling.enabled=true")
    grpc = rendered.one("Deployment", "-grpc")
    assert "replicas" not in grpc["spec"]
    assert rendered.one("HorizontalPodAutoscaler", "")["spec"]["scaleTargetRef"]["name"] == grpc["metadata"]["name"]


def test_disruption_budgets_never_block_a_drain_of_one_replica(helm):
    budgets = helm.template(*PRODUCTION).of("PodDisruptionBudget")
    assert len(budgets) == 2
    assert all(budget["spec"]["maxUnavailable"] == 1 for budget in budgets)
    off = [f"{role}.podDisruptionBudget.enabled=false" for role in ("operator", "grpc")]
    assert helm.template(*PRODUCTION, *off).of("PodDisruptionBudget") == []


def test_a_service_monitor_finds_the_metrics_of_both_servers(helm):
    assert helm.template(*PRODUCTION).of("ServiceMonitor") == []
    rendered = helm.template(*PRODUCTION, "serviceMonitor.enabled=true", "serviceMonitor.labels.release=p")
    monitor = rendered.one("ServiceMonitor", "")
    assert monitor["metadata"]["labels"]["release"] == "p"
    wanted = monitor["spec"]["selector"]["matchLabels"].items()
    found = [service for service in rendered.of("Service") if wanted <= service["metadata"]["labels"].items()]
    assert [service["metadata"]["name"].rsplit("-", 2)[-2] for service in found] == ["operator", "grpc"]
    assert all(service["spec"]["ports"][0]["name"] == "admin" for service in found)


def test_every_service_and_budget_selects_the_pods_it_is_for(helm):
    rendered = helm.template(*STAGING)
    pods = [maker["spec"]["template"]["metadata"]["labels"].items() for kind in ("Deployment", "StatefulSet") for maker in rendered.of(kind)]
    selectors = [service["spec"]["selector"] for service in rendered.of("Service")]
    selectors += [budget["spec"]["selector"]["matchLabels"] for budget in rendered.of("PodDisruptionBudget")]
    for selector in selectors:
        assert sum(selector.items() <= labels for labels in pods) == 1, selector


def test_generated_certificates_are_of_one_authority(helm, tmp_path):
    rendered = helm.template(*PRODUCTION, "grpc.tls.extraDnsNames={grpc.example.com}")
    secrets = [rendered.one("Secret", name)["data"] for name in ("-grpc-tls", "-grpc-client-tls")]
    assert secrets[0]["ca.crt"] == secrets[1]["ca.crt"]
    for secret in secrets:
        for name, text in secret.items():
            (tmp_path / name).write_bytes(base64.b64decode(text))
        checked = subprocess.run(
            ["openssl", "verify", "-CAfile", "ca.crt", "tls.crt"], cwd=tmp_path, capture_output=True, text=True
        )
        assert checked.returncode == 0, checked.stderr
    (tmp_path / "tls.crt").write_bytes(base64.b64decode(secrets[0]["tls.crt"]))
    for name in ("ordinary-posthog-grpc", f"ordinary-posthog-grpc.{NAMESPACE}.svc", "grpc.example.com"):
        shown = subprocess.run(
            ["openssl", "x509", "-noout", "-in", "tls.crt", "-checkhost", name], cwd=tmp_path, capture_output=True, text=True
        )
        assert "does match" in shown.stdout, shown.stdout


def test_certificates_of_ones_own_take_their_place(helm):
    rendered = helm.template(*PRODUCTION, "grpc.tls.existingSecret=mine")
    assert rendered.of("Secret") == []
    [volume] = rendered.one("Deployment", "-grpc")["spec"]["template"]["spec"]["volumes"]
    assert volume["secret"]["secretName"] == "mine"
    assert rendered.one("Pod", "-test")["spec"]["volumes"][0]["secret"]["secretName"] == "mine"
    rendered = helm.template(*PRODUCTION, "grpc.tls.existingSecret=mine", "grpc.tls.testClientSecret=theirs")
    assert rendered.one("Pod", "-test")["spec"]["volumes"][0]["secret"]["secretName"] == "theirs"


def test_the_uninstall_hook_can_be_left_out(helm):
    rendered = helm.template(*PRODUCTION)
    hooks = [found for found in rendered if found["metadata"].get("annotations", {}).get("helm.sh/hook") == "pre-delete"]
    assert {found["kind"] for found in hooks} >= {"Job", "ServiceAccount", "Role", "ClusterRole"}
    weights = {found["kind"]: int(found["metadata"]["annotations"]["helm.sh/hook-weight"]) for found in hooks}
    assert all(weights["Job"] > weight for kind, weight in weights.items() if kind != "Job")
    rendered = helm.template(*PRODUCTION, "uninstall.releaseFinalizers=false")
    assert not [found for found in rendered if "uninstall" in found["metadata"]["name"]]


@pytest.mark.parametrize("release", ["x", "ordinary-posthog", "a" * 53])
def test_names_fit_whatever_the_release_is_called(helm, release):
    done = helm.run("template", release, str(CHART), "--set", STAGING[0])
    assert done.returncode == 0, done.stderr
    for found in yaml.safe_load_all(done.stdout):
        if found and found["kind"] != "CustomResourceDefinition":
            name = found["metadata"]["name"]
            # A pod of a StatefulSet is labelled with its name, a revision's hash behind it.
            assert len(name) <= (52 if found["kind"] == "StatefulSet" else 63) or found["apiVersion"].startswith("rbac"), name
