"""Our own programs, as cargo built them."""

import json
import os
import subprocess
from contextlib import contextmanager

import pytest


def built(name: str) -> str:
    """A program of ours."""
    build = os.environ.get("ORDINARY_POSTHOG_BUILD")
    if not build:
        pytest.exit("ORDINARY_POSTHOG_BUILD is not set: run `tools/test chart`, which builds there and sets it", 2)
    return f"{build}/{name}"


@contextmanager
def serving(name: str, *arguments: str):
    """What a server says of itself in its first line. It ends with its standard input, and so with these tests."""
    command = [built(name), *arguments]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        said = process.stdout.readline()
        assert said, f"{name} did not start; what keeps it from that is above"
        yield json.loads(said)
