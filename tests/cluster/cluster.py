"""What a platform engineer does to a cluster, by the same commands."""

import json
import re
import subprocess
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
VALUES = Path(__file__).with_name("values.yaml")
CHART = ROOT / "charts" / "ordinary-posthog"
SYSTEM = "ordinary-system"
MERCHANT = "acme"
RELEASE = "ordinary-posthog"
KEY = "phx_cluster_test_stand_in_key"
STAND_IN = "http://posthog.posthog.svc:8000"
# What a busy machine of two cores takes for anything here.
PATIENCE = 300

RESTRICTED = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "runAsNonRoot": True,
    "runAsUser": 65534,
    "seccompProfile": {"type": "RuntimeDefault"},
}


def run(*command: str, text: str = "") -> str:
    """Runs a program that must work, and returns what it printed."""
    done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=2 * PATIENCE)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stdout}{done.stderr}"
    return done.stdout


class Cluster:
    """The cluster of KUBECONFIG."""

    def kubectl(self, *arguments: str, namespace: str = MERCHANT, text: str = "") -> str:
        """What `kubectl` prints."""
        return run("kubectl", "--namespace", namespace, *arguments, text=text)

    def helm(self, *arguments: str) -> str:
        """What `helm` prints."""
        return run("helm", "--namespace", SYSTEM, *arguments)

    def install(self, verb: str, *values: str) -> None:
        """`helm install` or `helm upgrade`, and waits until all of it is ready."""
        more = [argument for value in values for argument in ("--set", value)]
        self.helm(verb, RELEASE, str(CHART), "--values", str(VALUES), *more, "--wait", f"--timeout={PATIENCE}s")

    def get(self, *arguments: str, namespace: str = MERCHANT) -> dict:
        """An object, or a list of them."""
        return json.loads(self.kubectl("get", *arguments, "--output=json", namespace=namespace))

    def connection(self) -> dict:
        """The merchant's connection."""
        return self.get("phc", "storefront")

    def jobs(self) -> list[dict]:
        """The Jobs of connections."""
        return self.get("jobs", "--selector=posthog.ordinary.dev/connection-uid", namespace=SYSTEM)["items"]

    def apply(self, *objects: dict) -> None:
        """Applies objects that name their namespaces."""
        run("kubectl", "apply", "--filename=-", text=json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))

    def create_namespace(self, name: str, restricted: bool) -> None:
        """Makes a namespace; where `restricted`, pods that may do too much are refused."""
        labels = {"pod-security.kubernetes.io/enforce": "restricted"} if restricted else {}
        self.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}})

    def start_stand_in(self) -> None:
        """PostHog, as far as the product can tell, with a shop of 30 days."""
        self.create_namespace("posthog", restricted=False)
        place = {"name": "posthog", "namespace": "posthog"}
        container = {
            "name": "stand-in",
            "image": "cluster.test/stand-in:1",
            "command": ["shop", "0.0.0.0:8000", KEY, "20000", "30"],
            "readinessProbe": {"tcpSocket": {"port": 8000}, "periodSeconds": 1},
            "securityContext": RESTRICTED,
        }
        self.apply(
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {**place, "labels": {"app": "posthog"}},
                "spec": {"containers": [container]},
            },
            {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": place,
                "spec": {"selector": {"app": "posthog"}, "ports": [{"port": 8000}]},
            },
        )
        self.kubectl("wait", "--for=condition=Ready", "pod/posthog", f"--timeout={PATIENCE}s", namespace="posthog")

    def events_of_the_shop(self) -> int:
        """How many different events the stand-in has."""
        return int(re.match(r"(\d+) events", self.kubectl("logs", "posthog", namespace="posthog"))[1])

    def start_client(self) -> None:
        """Another service of Ordinary: it waits in a pod for the certificate and for what to ask."""
        secret = {"secretName": f"{RELEASE}-grpc-client-tls"}
        container = {
            "name": "client",
            "image": "cluster.test/client:1",
            "command": ["sleep", "100000"],
            "volumeMounts": [{"name": "tls", "mountPath": "/tls", "readOnly": True}],
            "securityContext": RESTRICTED,
        }
        self.apply(
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {"name": "client", "namespace": SYSTEM},
                "spec": {
                    "containers": [container],
                    "volumes": [{"name": "tls", "secret": secret}],
                    "terminationGracePeriodSeconds": 0,
                },
            }
        )

    def try_grpc(self, method: str, body: dict) -> subprocess.CompletedProcess:
        """Asks through the Service from the client's pod, whether it works or not."""
        server = f"{RELEASE}-grpc.{SYSTEM}.svc:50051"
        identity = ["-cacert", "/tls/ca.crt", "-cert", "/tls/tls.crt", "-key", "/tls/tls.key"]
        patience = ["-connect-timeout", str(PATIENCE)]
        asked = ["grpcurl", *patience, *identity, "-d", json.dumps(body), server, f"ordinary.posthog.v1.{method}"]
        command = ["kubectl", "--namespace", SYSTEM, "exec", "client", "--", *asked]
        return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)

    def grpc(self, method: str, body: dict) -> dict:
        """What the server answers."""
        done = self.try_grpc(method, body)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def sql(self, query: str) -> str:
        """What the database answers."""
        ask = f'PGPASSWORD="$POSTGRES_PASSWORD" psql --no-psqlrc -h 127.0.0.1 -U ordinary -Atc "{query}" ordinary'
        return self.kubectl("exec", f"{RELEASE}-staging-postgresql-0", "--", "sh", "-c", ask, namespace=SYSTEM).strip()

    def await_condition(self, condition: str, value: str = "True") -> dict:
        """Waits until the connection has a condition at its present generation, and returns the connection."""

        def holds() -> dict | None:
            connection = self.connection()
            generation = connection["metadata"]["generation"]
            for found in connection.get("status", {}).get("conditions", []):
                if (found["type"], found["status"], found.get("observedGeneration")) == (condition, value, generation):
                    return connection
            return None

        return self.eventually(holds, f"{condition}={value}")

    def eventually(self, look, what: str):
        """Waits until `look` finds something, and returns it."""
        deadline = time.monotonic() + PATIENCE
        while not (found := look()):
            assert time.monotonic() < deadline, f"never: {what}"
            time.sleep(1)
        return found

    def portrait(self) -> str:
        """What somebody would look at first when something is wrong."""
        looks = [
            ["get", "pods,jobs", "--all-namespaces", "--output=wide"],
            ["get", "phc", "--all-namespaces", "--output=yaml"],
            ["get", "events", "--all-namespaces", "--sort-by=.lastTimestamp"],
            ["--namespace", SYSTEM, "logs", "--selector=app.kubernetes.io/name=ordinary-posthog", "--tail=60", "--prefix"],
            ["--namespace", SYSTEM, "logs", "--selector=posthog.ordinary.dev/connection-uid", "--tail=40", "--prefix"],
        ]
        said = [subprocess.run(["kubectl", *look], capture_output=True, text=True) for look in looks]
        return "\n".join(done.stdout + done.stderr for done in said)
