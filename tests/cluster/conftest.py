"""The cluster that the story is told in, cleared of what it leaves."""

import os
import shutil

import pytest
from cluster import MERCHANT, SYSTEM, Cluster


def pytest_configure() -> None:
    missing = [program for program in ("kubectl", "helm") if not shutil.which(program)]
    if missing or not os.environ.get("KUBECONFIG"):
        pytest.exit("run `tests/cluster/run`, which starts the cluster and puts kubectl and helm on PATH", 2)


@pytest.fixture(scope="session")
def cluster() -> Cluster:
    """The cluster of KUBECONFIG, with the stand-in and a merchant's namespace."""
    cluster = Cluster()
    cluster.create_namespace(SYSTEM, restricted=True)
    cluster.create_namespace(MERCHANT, restricted=False)
    cluster.start_stand_in()
    cluster.start_client()
    return cluster


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """After a failure: what the cluster looks like."""
    report = yield
    if report.failed and "cluster" in item.funcargs:
        report.sections.append(("the cluster", item.funcargs["cluster"].portrait()))
    return report
