"""Packs the program into an image: an OCI layout that Docker reads too. Run by tools/image.

The same inputs give the same bytes: no times, no owners, sorted names.
"""

import gzip
import hashlib
import importlib.resources
import io
import json
import platform
import sys
import tarfile
from pathlib import Path

import certifi

USER = 65532
PROGRAM = "usr/bin/ordinary-posthog"
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
CONFIG = "application/vnd.oci.image.config.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"


def zones() -> dict[str, bytes]:
    """Time zone files by their place in the image."""
    found = {}

    def collect(folder, at):
        for entry in folder.iterdir():
            if entry.is_dir():
                collect(entry, f"{at}/{entry.name}")
            elif entry.name not in ("__init__.py", "__init__.pyc"):
                found[f"{at}/{entry.name}"] = entry.read_bytes()

    collect(importlib.resources.files("tzdata") / "zoneinfo", "usr/share/zoneinfo")
    return {name: text for name, text in found.items() if "__pycache__" not in name}


def tar(files: dict[str, tuple[bytes, int]], folders: dict[str, int]) -> bytes:
    """A tar of these files and folders, each with its mode."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name in sorted({*files, *folders}):
            about = tarfile.TarInfo(name)
            if name in folders:
                about.type, about.mode = tarfile.DIRTYPE, folders[name]
                archive.addfile(about)
            else:
                text, about.mode = files[name]
                about.size = len(text)
                archive.addfile(about, io.BytesIO(text))
    return packed.getvalue()


def layer(program: Path) -> bytes:
    """The root file system."""
    files = {
        PROGRAM: (program.read_bytes(), 0o755),
        "etc/ssl/certs/ca-certificates.crt": (Path(certifi.where()).read_bytes(), 0o644),
        "etc/passwd": (f"nonroot:x:{USER}:{USER}::/:/sbin/nologin\n".encode(), 0o644),
        "etc/group": (f"nonroot:x:{USER}:\n".encode(), 0o644),
        **{name: (text, 0o644) for name, text in zones().items()},
    }
    folders = {str(parent): 0o755 for name in files for parent in Path(name).parents if str(parent) != "."}
    return tar(files, {**folders, "tmp": 0o1777})


def image(program: Path, name: str) -> bytes:
    """The archive."""
    blobs: dict[str, bytes] = {}

    def blob(media_type: str, text: bytes) -> dict:
        digest = hashlib.sha256(text).hexdigest()
        blobs[digest] = text
        return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(text)}

    root = layer(program)
    packed = blob(LAYER, gzip.compress(root, mtime=0))
    config = {
        "architecture": ARCHITECTURES[platform.machine()],
        "os": "linux",
        "config": {
            "User": f"{USER}:{USER}",
            "Entrypoint": [f"/{PROGRAM}"],
            "Env": ["PATH=/usr/bin"],
            "WorkingDir": "/",
        },
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(root).hexdigest()}"]},
    }
    config = blob(CONFIG, json.dumps(config).encode())
    manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [packed]}
    manifest = blob(MANIFEST, json.dumps(manifest).encode())
    manifest["annotations"] = {
        "io.containerd.image.name": name,
        "org.opencontainers.image.ref.name": name.rpartition(":")[2],
    }
    place = "blobs/sha256/{}".format
    files = {place(digest): text for digest, text in blobs.items()}
    files["oci-layout"] = json.dumps({"imageLayoutVersion": "1.0.0"}).encode()
    files["index.json"] = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": [manifest]}).encode()
    # Docker's own list, for versions that know no OCI layout.
    inner = [packed["digest"].removeprefix("sha256:"), config["digest"].removeprefix("sha256:")]
    listed = {"Config": place(inner[1]), "RepoTags": [name], "Layers": [place(inner[0])]}
    files["manifest.json"] = json.dumps([listed]).encode()
    return tar({path: (text, 0o644) for path, text in files.items()}, {"blobs": 0o755, "blobs/sha256": 0o755})


def main() -> None:
    program, name, out = sys.argv[1:]
    text = image(Path(program), name)
    Path(out).write_bytes(text)
    print(f"{name}: {len(text) / 1e6:.1f} MB in {out}")


main()
