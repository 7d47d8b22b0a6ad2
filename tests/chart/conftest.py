"""Each test runs with both versions of Helm that people have."""

import shutil

import pytest
from chart import CHART, NAMESPACE, RELEASE, STAGING, Helm
from cluster import Cluster
from programs import serving


@pytest.fixture(scope="session", params=["helm", "helm3"])
def helm(request) -> Helm:
    """Helm 4, then Helm 3; `tools/test chart` puts them on PATH."""
    program = shutil.which(request.param)
    if not program:
        pytest.exit(f"{request.param} is not on PATH: run `tools/test chart`, which installs it", 2)
    return Helm(program)


RESTRICTED = [f"pod-security.kubernetes.io/{mode}=restricted" for mode in ("enforce", "warn")]


@pytest.fixture(scope="session")
def cluster():
    """An API server whose namespace for releases takes restricted pods alone."""
    with serving("examples/control_plane") as said:
        cluster = Cluster(**said)
        cluster.ask("create", "namespace", NAMESPACE)
        cluster.ask("label", "namespace", NAMESPACE, *RESTRICTED)
        # The production example names one.
        cluster.ask("create", "priorityclass", "batch")
        yield cluster


@pytest.fixture
def installed(helm, cluster):
    """A release, until the test is over."""

    def run(version: Helm, *arguments: str) -> str:
        done = version.run(*arguments, "--namespace", NAMESPACE, env=cluster.environment)
        assert done.returncode == 0, done.stderr
        return done.stdout

    run(helm, "install", RELEASE, str(CHART), "--set", STAGING[0])
    yield run
    # No node runs the hook; who it would have rights as is what another test looks at.
    run(helm, "uninstall", RELEASE, "--no-hooks", "--ignore-not-found")
    cluster.ask("delete", "crd", "--all")
    cluster.ask("delete", "secret", "--all")
