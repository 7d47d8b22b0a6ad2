#!/usr/bin/env python3
"""Makes the images that the test needs beside the product's, from programs of this machine: nothing is pulled.

    images.py pause OUT.tar NAME:TAG
    images.py postgres OUT.tar NAME:TAG
    images.py programs OUT.tar NAME:TAG PROGRAM...

Each takes the programs and the libraries that they are linked with. `docker load`, `kind load image-archive` and
`ctr images import` read them.
"""

import hashlib
import io
import json
import platform
import re
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterable
from pathlib import Path

ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
USERS = "root:x:0:0::/:/bin/sh\npostgres:x:999:999::/:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n"


def libraries(program: Path) -> set[Path]:
    """What the dynamic linker loads for a program, itself included; nothing for a static one."""
    said = subprocess.run(["ldd", program], capture_output=True, text=True)
    return {Path(path) for path in re.findall(r"(/\S+) \(0x", said.stdout)}


def with_libraries(programs: dict[str, Path]) -> dict[str, Path]:
    """The same files, and at their own places the libraries that they need."""
    needed = set().union(*(libraries(source) for source in programs.values()))
    return {**{str(path).lstrip("/"): path for path in needed}, **programs}


def layer(files: dict[str, Path | bytes]) -> bytes:
    """A root file system with these files; all of them may be run."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        parents = {parent for name in files for parent in Path(name).parents}
        for folder in sorted({*map(str, parents), "tmp"} - {"."}):
            about = tarfile.TarInfo(folder)
            about.type, about.mode = tarfile.DIRTYPE, 0o1777 if folder == "tmp" else 0o755
            archive.addfile(about)
        for name, source in sorted(files.items()):
            content = source if isinstance(source, bytes) else source.resolve().read_bytes()
            about = tarfile.TarInfo(name)
            about.size, about.mode = len(content), 0o755
            archive.addfile(about, io.BytesIO(content))
    return packed.getvalue()


def write(out: str, name: str, files: dict[str, Path | bytes], entrypoint: list[str], path: str = "/usr/bin:/bin") -> None:
    """Writes an image in the form of `docker save`."""
    root = layer({**files, "etc/passwd": USERS.encode()})
    digest = hashlib.sha256(root).hexdigest()
    config = {
        "architecture": ARCHITECTURES[platform.machine()],
        "os": "linux",
        "config": {"Entrypoint": entrypoint, "Env": [f"PATH={path}"]},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]},
    }
    config = json.dumps(config).encode()
    identity = hashlib.sha256(config).hexdigest()
    manifest = [{"Config": f"{identity}.json", "RepoTags": [name], "Layers": [f"{digest}.tar"]}]
    with tarfile.open(out, "w") as archive:
        parts = {f"{identity}.json": config, f"{digest}.tar": root, "manifest.json": json.dumps(manifest).encode()}
        for part, content in parts.items():
            about = tarfile.TarInfo(part)
            about.size = len(content)
            archive.addfile(about, io.BytesIO(content))


def found(program: str) -> Path:
    """Where a program is."""
    path = shutil.which(program)
    if path is None:
        sys.exit(f"images.py: there is no {program} on PATH")
    return Path(path)


def shell() -> dict[str, Path | bytes]:
    """busybox, as whatever a script may call."""
    calls = ["sh", "cat", "mkdir", "chmod", "sleep", "rm"]
    return {"bin/busybox": found("busybox"), **{f"bin/{call}": found("busybox") for call in calls}}


def newest_postgres() -> Path:
    """Where Debian has its newest PostgreSQL."""
    return max(Path("/usr/lib/postgresql").iterdir(), key=lambda version: int(version.name))


def at_home(paths: Iterable[Path]) -> dict[str, Path]:
    """Files at the places that they have on this machine."""
    return {str(path).lstrip("/"): path for path in paths if path.is_file()}


def postgres() -> dict[str, Path | bytes]:
    """Debian's newest PostgreSQL without extensions, at its own place, by which it finds its files."""
    home = newest_postgres()
    programs = at_home(home / "bin" / name for name in ("postgres", "initdb", "psql", "pg_isready"))
    # The compiler of queries would bring LLVM, half of the image.
    plugins = at_home(path for path in (home / "lib").glob("*.so") if path.name != "llvmjit.so")
    share = Path("/usr/share/postgresql") / home.name
    data = at_home(path for path in share.rglob("*") if path.parent.name != "extension" or path.name.startswith("plpgsql"))
    zones = at_home(Path("/usr/share/zoneinfo").rglob("*"))
    entrypoint = Path(__file__).with_name("postgres-entrypoint").read_bytes()
    return {**shell(), **data, **zones, **with_libraries({**programs, **plugins}), "entrypoint": entrypoint}


def main() -> None:
    match sys.argv[1:]:
        case ["pause", out, name]:
            write(out, name, shell(), ["/bin/busybox", "sleep", "infinity"])
        case ["postgres", out, name]:
            write(out, name, postgres(), ["/entrypoint"], f"{newest_postgres()}/bin:/bin")
        case ["programs", out, name, *programs] if programs:
            paths = {f"usr/bin/{Path(program).name}": found(program) for program in programs}
            write(out, name, {**shell(), **with_libraries(paths)}, ["/bin/sh"])
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main()
