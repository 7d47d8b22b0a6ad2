"""A real API server to install on. Pods are made there and run nowhere."""

import json
import os
import subprocess
from dataclasses import dataclass

from chart import NAMESPACE


@dataclass
class Cluster:
    """How to reach it."""

    kubeconfig: str
    kubectl: str

    @property
    def environment(self) -> dict[str, str]:
        """For programs that find the cluster by KUBECONFIG."""
        return {**os.environ, "KUBECONFIG": self.kubeconfig}

    def try_ask(self, *arguments: str, text: str = "") -> subprocess.CompletedProcess:
        """`kubectl`, whether it works or not."""
        command = [self.kubectl, "--namespace", NAMESPACE, *arguments]
        return subprocess.run(command, input=text, env=self.environment, capture_output=True, text=True)

    def ask(self, *arguments: str, text: str = "") -> str:
        """What `kubectl` prints."""
        done = self.try_ask(*arguments, text=text)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def data(self, secret: str) -> dict[str, str]:
        """What a Secret holds."""
        return json.loads(self.ask("get", "secret", secret, "--output", "json"))["data"]

    def may(self, account: str, verb: str, resource: str, namespace: str) -> bool:
        """Whether a ServiceAccount of the release has a right there."""
        user = f"system:serviceaccount:{NAMESPACE}:{account}"
        done = self.try_ask("auth", "can-i", verb, resource, "--namespace", namespace, "--as", user)
        assert done.stdout.strip() in ("yes", "no"), done.stderr
        return done.stdout.strip() == "yes"
