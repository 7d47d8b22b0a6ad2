"""Values: what is taken, what is refused, and with which sentence."""

import re
import shutil

import pytest
import yaml
from chart import CHART, PRODUCTION, STAGING, example_values


@pytest.mark.parametrize("values", example_values(), ids=lambda path: path.stem)
def test_every_example_passes_lint_and_renders(helm, values):
    linted = helm.run("lint", "--strict", str(CHART), "--values", str(values))
    assert linted.returncode == 0, linted.stdout + linted.stderr
    assert helm.template(files=[values])


def test_the_defaults_pass_lint(helm):
    linted = helm.run("lint", "--strict", str(CHART))
    assert linted.returncode == 0, linted.stdout + linted.stderr


def test_an_installation_without_a_database_is_refused_with_the_fix(helm):
    said = helm.refusal()
    assert "database.existingSecret" in said
    assert "stagingPostgresql.enabled" in said


def test_two_databases_are_refused(helm):
    assert "Set one of them" in helm.refusal(*STAGING, *PRODUCTION)


@pytest.mark.parametrize(
    "typo",
    [
        "databse.existingSecret=x",
        "database.existingsecret=x",
        "operator.replicaCount=3",
        "operator.maxConcurrentSyncs=0",
        "operator.resources.limit.memory=1Gi",
        "jobs.nodeselector.a=b",
        "grpc.tls.secretName=x",
        "grpc.service.type=Ingress",
        "grpc.service.port=70000",
        "grpc.identityMemoryMiB=-1",
        "image.pullPolicy=Sometimes",
        "image.digest=latest",
        "networkPolicy.grpc.to[0].a=b",
        "serviceMonitor.interval=often",
        "stagingPostgresql.persistence.size=big",
        "posthog.caBundle.configMap=x",
    ],
)
def test_a_typo_is_refused(helm, typo):
    said = helm.refusal(*PRODUCTION, typo)
    assert typo.split("=")[0].split(".")[0].split("[")[0] in said or "additional properties" in said, said


def schema_leaves(schema: dict, at: str = ""):
    """Every path that the schema names, and whether values may hold more than it names there."""
    for name, inner in schema.get("properties", {}).items():
        while "$ref" in inner:
            inner = ROOT_SCHEMA["definitions"][inner["$ref"].removeprefix("#/definitions/")]
        yield f"{at}{name}", inner
        yield from schema_leaves(inner, f"{at}{name}.")


ROOT_SCHEMA = yaml.safe_load((CHART / "values.schema.json").read_text())


def test_the_schema_names_exactly_the_values_that_there_are():
    values = yaml.safe_load((CHART / "values.yaml").read_text())

    def paths(tree, schema, at=""):
        for name, inner in tree.items():
            path = f"{at}{name}"
            yield path
            closed = schema.get(path, {}).get("additionalProperties") is False
            if isinstance(inner, dict) and closed:
                yield from paths(inner, schema, f"{path}.")

    schema = dict(schema_leaves(ROOT_SCHEMA))
    named = {path for path in schema if not path.split(".")[-1] in ("requests", "limits", "claims")}
    real = {path for path in paths(values, schema) if not path.split(".")[-1] in ("requests", "limits", "claims")}
    assert named == real


def test_a_section_that_is_set_to_null_is_no_typo(helm):
    helm.template(*PRODUCTION, "global=null", "operator.resources.limits=null")


@pytest.fixture
def umbrella(tmp_path):
    """A chart of somebody's own that has ours below it."""
    chart = tmp_path / "umbrella"
    chart.mkdir()
    version = yaml.safe_load((CHART / "Chart.yaml").read_text())["version"]
    dependency = {"name": CHART.name, "version": version, "repository": "", "condition": f"{CHART.name}.enabled"}
    about = {"apiVersion": "v2", "name": "umbrella", "version": "1.0.0", "dependencies": [dependency]}
    (chart / "Chart.yaml").write_text(yaml.safe_dump(about))
    shutil.copytree(CHART, chart / "charts" / CHART.name)
    return chart


def test_an_umbrella_chart_may_pass_global_values(helm, umbrella):
    rendered = helm.template(
        "global.domain=example.com",
        "global.imageRegistry=registry.example.com",
        "global.imagePullSecrets[0]=registry",
        f"{CHART.name}.database.existingSecret=database",
        chart=umbrella,
    )
    for name in ("-operator", "-grpc"):
        pod = rendered.one("Deployment", name)["spec"]["template"]["spec"]
        assert pod["containers"][0]["image"].startswith("registry.example.com/ordinary/ordinary-posthog:")
        assert pod["imagePullSecrets"] == [{"name": "registry"}]
    assert rendered.operator_config()["job"]["imagePullSecrets"] == [{"name": "registry"}]


def test_an_umbrella_chart_may_leave_it_out(helm, umbrella):
    assert helm.template(f"{CHART.name}.enabled=false", chart=umbrella) == []


def test_a_typo_below_an_umbrella_chart_is_refused(helm, umbrella):
    assert "databse" in helm.refusal(f"{CHART.name}.databse.existingSecret=x", chart=umbrella)


def test_the_charts_page_tells_of_values_that_there_are():
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    rows = [line.split("|")[1:4] for line in (CHART / "README.md").read_text().splitlines() if line.startswith("| `")]
    assert len(rows) > 10
    for names, default, meaning in rows:
        [name] = re.findall("`(.*?)`", names)
        for path in [name, *re.findall(r"`((?:jobs|image)\.\w+)`", meaning)]:
            value = values
            for part in path.split("."):
                value = value[part]
            if path == name and default.strip():
                assert yaml.safe_load(default.strip().strip("`")) == value, path
