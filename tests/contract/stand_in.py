"""The stand-in PostHog, started as a process of its own, and the client's texts."""

import json
import os
import subprocess
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

# A debug build makes about 10,000 events a second.
READY_WITHIN = 300


def built(name: str) -> str:
    """The path of a program that `tools/test contract` has built."""
    folder = os.environ.get("ORDINARY_POSTHOG_BUILD")
    if not folder:
        pytest.exit("ORDINARY_POSTHOG_BUILD is not set: run `tools/test contract`, which builds the programs and sets it", 2)
    return str(Path(folder) / name)


def all_texts() -> list[dict]:
    """Every text that the client can send, with its name and example values, as the client itself says."""
    return json.loads(subprocess.run([built("examples/queries")], check=True, capture_output=True).stdout)


@dataclass
class StandIn:
    """A stand-in that serves, and the folder with its tables."""

    folder: Path
    url: str
    project: int
    timezone: str
    numeric: list[str]
    cohorts: list[list[int]]
    key: str
    process: subprocess.Popen

    def ask(self, text: str, values: dict) -> dict:
        """What it answers to a text over HTTP."""
        body = {"query": {"kind": "HogQLQuery", "query": text, "values": values}, "refresh": "force_blocking"}
        request = urllib.request.Request(
            f"{self.url}/api/projects/{self.project}/query/",
            json.dumps(body).encode(),
            {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"},
        )
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=READY_WITHIN) as answer:
            return json.load(answer)

    def asked(self) -> list[dict]:
        """Every query that it was asked so far (the newest ten thousand)."""
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        count = int(self.process.stdout.readline())
        queries = [json.loads(line) for line in (self.folder / "queries.jsonl").open()]
        assert len(queries) == count
        return queries


@contextmanager
def serving(folder: Path, events: int, days: int):
    """A stand-in with a generated shop of so many events within so many days."""
    command = [built("examples/serve"), str(folder), str(events), str(days)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        said = process.stdout.readline()
        assert said, f"the stand-in ended with status {process.wait()}"
        yield StandIn(folder=folder, process=process, **json.loads(said))
    finally:
        process.kill()
        process.wait()
