"""Starts the binary as a user does, and hands the tests a client that speaks gRPC to it."""

import os
import re
import signal
import subprocess
import time
from pathlib import Path

import grpc
import pytest
from reflected import Client

# Far longer than `demo` takes to sync its shop in a debug build on two busy cores, and to end.
DEMO_SYNCS_WITHIN = 1800
DEMO_ENDS_WITHIN = 300


@pytest.fixture(scope="session")
def binary() -> str:
    """The path of the program under test; `tools/test python` builds it and sets the variable."""
    path = os.environ.get("ORDINARY_POSTHOG_BIN")
    if not path:
        pytest.exit("ORDINARY_POSTHOG_BIN is not set: run `tools/test python`, which builds the binary and sets it", 2)
    return path


@pytest.fixture(scope="session")
def demo(binary, tmp_path_factory):
    """A client of `ordinary-posthog demo` once its backfill is complete. Ctrl-C must end it with status 0."""
    folder = tmp_path_factory.mktemp("demo")
    said = folder / "said"
    with said.open("wb") as output:
        process = subprocess.Popen(
            [binary, "demo", "--grpc-addr", "127.0.0.1:0", "--admin-addr", "127.0.0.1:0"],
            env={**os.environ, "XDG_DATA_HOME": str(folder)},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        [address] = eventually("listens", process, said, lambda: re.findall(r"gRPC is listening\. address=(\S+)", said.read_text()))
        client = Client(address)
        eventually("has synced", process, said, lambda: is_synced(client))
        yield client
        client.close()
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=DEMO_ENDS_WITHIN) == 0, said.read_text()
    finally:
        process.kill()
        process.wait()


def eventually(what: str, process: subprocess.Popen, said: Path, look):
    """What `look` gives once that is something. Fails with what the demo printed to the file `said` if it ends first or takes too long."""
    deadline = time.monotonic() + DEMO_SYNCS_WITHIN
    while not (found := look()):
        assert process.poll() is None, f"demo ended with status {process.returncode}:\n{said.read_text()}"
        assert time.monotonic() < deadline, f"{DEMO_SYNCS_WITHIN} s passed before demo {what}:\n{said.read_text()}"
        time.sleep(0.2)
    return found


def is_synced(client: Client) -> bool:
    """Whether the backfill of every connection is complete."""
    try:
        listed = client.call("ordinary.posthog.v1.ConnectionService/ListConnections", {"parent": "namespaces/-"})
    except (grpc.RpcError, KeyError):
        return False  # Not answering yet.
    connections = listed.get("connections", [])
    return bool(connections) and all("completeTime" in connection.get("backfill", {}) for connection in connections)


@pytest.fixture(scope="session")
def connection(demo) -> dict:
    """One connection of the demo."""
    return demo.call("ordinary.posthog.v1.ConnectionService/ListConnections", {"parent": "namespaces/-"})["connections"][0]
