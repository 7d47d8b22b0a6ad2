"""Starts the binary as a user does, and hands the tests a client that speaks gRPC to it."""

import os
import signal
import socket
import subprocess
import time
from pathlib import Path

import grpc
import pytest
from reflected import Client

# The longest that `demo` may take to sync its shop in a debug build on two busy cores.
DEMO_SYNCS_WITHIN = 300


@pytest.fixture(scope="session")
def binary() -> str:
    """The path of the program under test; `tools/test python` builds it and sets the variable."""
    path = os.environ.get("ORDINARY_POSTHOG_BIN")
    if not path:
        pytest.exit("ORDINARY_POSTHOG_BIN is not set: run `tools/test python`, which builds the binary and sets it", 2)
    return path


def free_port() -> int:
    """A loopback port that nobody listened on a moment ago."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@pytest.fixture(scope="session")
def demo(binary, tmp_path_factory):
    """A client of `ordinary-posthog demo` once its backfill is complete. Ctrl-C must end it with status 0."""
    folder = tmp_path_factory.mktemp("demo")
    address = f"127.0.0.1:{free_port()}"
    said = folder / "said"
    with said.open("wb") as output:
        process = subprocess.Popen(
            [binary, "demo", "--grpc-addr", address, "--admin-addr", f"127.0.0.1:{free_port()}"],
            env={**os.environ, "XDG_DATA_HOME": str(folder)},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        client = Client(address)
        wait_until_synced(client, process, said)
        yield client
        client.close()
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=30) == 0, said.read_text()
    finally:
        process.kill()
        process.wait()


def wait_until_synced(client: Client, process: subprocess.Popen, said: Path) -> None:
    """Fails with what the process printed to the file `said` if it ends first or takes too long."""
    deadline = time.monotonic() + DEMO_SYNCS_WITHIN
    while time.monotonic() < deadline:
        assert process.poll() is None, f"demo ended with status {process.returncode}:\n{said.read_text()}"
        try:
            listed = client.call("ordinary.posthog.v1.ConnectionService/ListConnections", {"parent": "namespaces/-"})
        except (grpc.RpcError, KeyError):
            listed = {}  # Not listening yet.
        connections = listed.get("connections", [])
        if connections and all("completeTime" in connection.get("backfill", {}) for connection in connections):
            return
        time.sleep(0.2)
    pytest.fail(f"demo had not synced after {DEMO_SYNCS_WITHIN} s:\n{said.read_text()}")


@pytest.fixture(scope="session")
def connection(demo) -> dict:
    """One connection of the demo."""
    return demo.call("ordinary.posthog.v1.ConnectionService/ListConnections", {"parent": "namespaces/-"})["connections"][0]
