"""The chart as Helm renders it: objects, found by kind and name."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

import yaml

CHART = Path(__file__).parents[2] / "charts" / "ordinary-posthog"
CONNECTION = CHART.parents[1] / "examples" / "storefront.yaml"
RELEASE = "ordinary-posthog"
NAMESPACE = "ordinary-system"
# Without one of the two there is no database, and nothing to render.
STAGING = ["stagingPostgresql.enabled=true"]
PRODUCTION = ["database.existingSecret=database"]


class StrictLoader(yaml.SafeLoader):
    """Refuses a key that occurs twice, as the API server does."""

    def construct_mapping(self, node, deep=False):
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        twice = {key for key in keys if keys.count(key) > 1}
        if twice:
            raise yaml.constructor.ConstructorError(None, None, f"twice: {sorted(twice)}", node.start_mark)
        return super().construct_mapping(node, deep)


class Rendered(list):
    """What one rendering made."""

    def of(self, kind: str) -> list[dict]:
        """All objects of a kind."""
        return [found for found in self if found["kind"] == kind]

    def one(self, kind: str, name: str) -> dict:
        """The object of that kind whose name ends so."""
        found = [found for found in self.of(kind) if found["metadata"]["name"].endswith(name)]
        assert len(found) == 1, f"{len(found)} {kind} are called …{name}"
        return found[0]

    def pods(self) -> dict[str, dict]:
        """The pod specification of everything that makes pods, by kind and name."""
        pods = {f"Pod {pod['metadata']['name']}": pod["spec"] for pod in self.of("Pod")}
        for kind in ("Deployment", "StatefulSet", "Job"):
            for maker in self.of(kind):
                pods[f"{kind} {maker['metadata']['name']}"] = maker["spec"]["template"]["spec"]
        return pods

    def operator_config(self) -> dict:
        """The file that the operator reads."""
        return yaml.load(self.one("ConfigMap", "-operator")["data"]["operator.yaml"], StrictLoader)


@dataclass
class Helm:
    """One version of Helm."""

    program: str

    def run(self, *arguments: str, **options) -> subprocess.CompletedProcess:
        """Runs to the end; what it printed is text."""
        return subprocess.run([self.program, *arguments], capture_output=True, text=True, **options)

    def try_template(self, sets: list[str], files: list[Path] = (), chart: Path = CHART) -> subprocess.CompletedProcess:
        """`helm template`, whether it works or not."""
        values = [part for file in files for part in ("--values", str(file))]
        pairs = [part for pair in sets for part in ("--set", pair)]
        return self.run("template", RELEASE, str(chart), "--namespace", NAMESPACE, *values, *pairs)

    def template(self, *sets: str, files: list[Path] = (), chart: Path = CHART) -> Rendered:
        """What the chart makes of these values."""
        done = self.try_template(list(sets), files, chart)
        assert done.returncode == 0, done.stderr
        return Rendered(found for found in yaml.load_all(done.stdout, StrictLoader) if found)

    def refusal(self, *sets: str, files: list[Path] = (), chart: Path = CHART) -> str:
        """What Helm says when it refuses these values."""
        done = self.try_template(list(sets), files, chart)
        assert done.returncode != 0, "nothing is wrong with it"
        return done.stderr


def example_values() -> list[Path]:
    """Values of whole installations, as users have them."""
    return sorted((CHART / "ci").glob("*.yaml"))
