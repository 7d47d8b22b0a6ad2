"""Each test runs with both versions of Helm that people have."""

import shutil

import pytest
from chart import Helm


@pytest.fixture(scope="session", params=["helm", "helm3"])
def helm(request) -> Helm:
    """Helm 4, then Helm 3; `tools/test chart` puts them on PATH."""
    program = shutil.which(request.param)
    if not program:
        pytest.exit(f"{request.param} is not on PATH: run `tools/test chart`, which installs it", 2)
    return Helm(program)
