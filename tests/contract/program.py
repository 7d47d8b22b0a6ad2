"""The real program, as a user runs it, against a stand-in."""

import subprocess
from pathlib import Path

from stand_in import StandIn, built

# A backfill in a debug build, on two busy cores.
ENDS_WITHIN = 900
CONNECTION = """
apiVersion: v1
kind: Secret
metadata: {{name: posthog, namespace: contract}}
stringData: {{apiKey: {key}}}
---
apiVersion: integrations.ordinary.dev/v1alpha1
kind: PostHogConnection
metadata: {{name: shop, namespace: contract}}
spec:
  host: {url}
  projectId: {project}
  apiKeySecretRef: {{name: posthog, key: apiKey}}
"""


def run(stand_in: StandIn, folder: Path, *arguments: str) -> str:
    """Runs a command with a connection to the stand-in and returns what it printed; it must end with status 0."""
    connection = folder / "connection.yaml"
    connection.write_text(CONNECTION.format(key=stand_in.key, url=stand_in.url, project=stand_in.project))
    command = [built("ordinary-posthog"), *arguments, "--file", connection]
    command += ["--allow-insecure-host", "127.0.0.1", "--no-region-probe"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=ENDS_WITHIN)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def sync(stand_in: StandIn, folder: Path, mode: str) -> str:
    """A run into a SQLite file in the folder."""
    return run(stand_in, folder, "sync", "--mode", mode, "--database-url", f"sqlite://{folder}/contract.db")
