"""Each test runs with both versions of Helm that people have."""

import json
import os
import shutil
import subprocess

import pytest
from chart import NAMESPACE, Helm
from cluster import Cluster


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
    build = os.environ.get("ORDINARY_POSTHOG_BUILD")
    if not build:
        pytest.exit("ORDINARY_POSTHOG_BUILD is not set: run `tools/test chart`, which builds there and sets it", 2)
    command = [f"{build}/examples/control_plane"]
    # It ends with its standard input, and so with these tests, however they end.
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        said = process.stdout.readline()
        assert said, "there is no cluster; what keeps it from starting is above"
        cluster = Cluster(**json.loads(said))
        cluster.ask("create", "namespace", NAMESPACE)
        cluster.ask("label", "namespace", NAMESPACE, *RESTRICTED)
        # The production example names one.
        cluster.ask("create", "priorityclass", "batch")
        yield cluster
