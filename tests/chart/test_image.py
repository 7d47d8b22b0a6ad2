"""The image that `tools/image` makes: what the chart and the loaders of images expect of it."""

import hashlib
import io
import json
import os
import subprocess
import tarfile

import pytest
import yaml
from chart import CHART

TOOL = CHART.parents[1] / "tools" / "image"


@pytest.fixture(scope="module")
def make(tmp_path_factory):
    """Packs a stand-in for the program, whose build takes minutes and is not the point."""
    folder = tmp_path_factory.mktemp("image")
    program = folder / "program"
    program.write_bytes(b"\x7fELF")
    environment = {**os.environ, "ORDINARY_POSTHOG_BIN": str(program)}

    def run(*arguments: str) -> str:
        done = subprocess.run([TOOL, *arguments], env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return folder, run


@pytest.fixture(scope="module")
def image(make):
    """The files of an image with the default name."""
    folder, run = make
    version = yaml.safe_load((CHART / "Chart.yaml").read_text())["appVersion"]
    repository = yaml.safe_load((CHART / "values.yaml").read_text())["image"]["repository"]
    out = folder / "image.tar"
    assert f"{repository}:{version}" in run(str(out))
    with tarfile.open(out) as archive:
        files = {entry.name: archive.extractfile(entry).read() for entry in archive if entry.isfile()}
    return files, f"{repository}:{version}"


def blob(files: dict[str, bytes], described: dict) -> bytes:
    """A blob, after a look at its digest and size."""
    algorithm, digest = described["digest"].split(":")
    text = files[f"blobs/{algorithm}/{digest}"]
    assert hashlib.sha256(text).hexdigest() == digest
    assert len(text) == described["size"]
    return text


def test_it_has_the_name_that_the_chart_looks_for(image):
    files, name = image
    [described] = json.loads(files["index.json"])["manifests"]
    assert described["annotations"]["io.containerd.image.name"] == name
    [listed] = json.loads(files["manifest.json"])
    assert listed["RepoTags"] == [name]


def test_both_of_its_indexes_lead_to_the_same_layer(image):
    files, _ = image
    [described] = json.loads(files["index.json"])["manifests"]
    manifest = json.loads(blob(files, described))
    [listed] = json.loads(files["manifest.json"])
    assert files[listed["Config"]] == blob(files, manifest["config"])
    assert [files[layer] for layer in listed["Layers"]] == [blob(files, layer) for layer in manifest["layers"]]


def test_it_runs_the_program_alone_as_a_user_of_no_power(image):
    files, _ = image
    [listed] = json.loads(files["manifest.json"])
    config = json.loads(files[listed["Config"]])
    # By number: a kubelet cannot tell from a name whether it is root.
    assert config["config"]["User"] == "65532:65532"
    assert config["config"]["Entrypoint"] == ["/usr/bin/ordinary-posthog"]
    with tarfile.open(fileobj=io.BytesIO(files[listed["Layers"][0]])) as root:
        names = {entry.name: entry for entry in root}
        authorities = root.extractfile("etc/ssl/certs/ca-certificates.crt").read()
    assert names["usr/bin/ordinary-posthog"].mode == 0o755
    assert names["tmp"].mode == 0o1777
    assert b"BEGIN CERTIFICATE" in authorities
    assert "usr/share/zoneinfo/Europe/Berlin" in names
    assert not [name for name in names if name.startswith(("bin/", "usr/lib/")) or name.endswith(("/sh", ".so"))]


def test_the_same_program_makes_the_same_image(make):
    folder, run = make
    for name in ("one", "two"):
        run(str(folder / name), "example.com/name:1")
    assert (folder / "one").read_bytes() == (folder / "two").read_bytes()
