"""Builds the source distribution and, from that alone, the wheel: with the tool that pip uses."""

import subprocess
import sys
import tarfile
from pathlib import Path
from typing import NamedTuple
from zipfile import ZipFile

ROOT = Path(__file__).parents[2]


class Packages(NamedTuple):
    """The two files that are published."""

    sdist: Path
    wheel: Path

    def in_sdist(self) -> set[str]:
        """The paths of its files, without the folder that they all lie in."""
        with tarfile.open(self.sdist) as archive:
            return {member.name.partition("/")[2] for member in archive.getmembers() if member.isfile()}

    def in_wheel(self) -> set[str]:
        """The paths of its files."""
        with ZipFile(self.wheel) as archive:
            return set(archive.namelist())


def tracked(root: Path = ROOT) -> list[str]:
    """The files of the repository, and new ones that are not ignored; none where there is no repository."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    return [name for name in listed.stdout.splitlines() if (root / name).is_file()]


def build(folder: Path) -> Packages:
    """Build both in `folder`; the checkout stays as it is."""
    guide = "taskmanager/api/guide.zip"  # made by `make docs`, where it is there
    for name in (*tracked(), *([guide] if (ROOT / guide).is_file() else ())):
        place = folder / "checkout" / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes((ROOT / name).read_bytes())
    sdist = _make("sdist", folder / "checkout", folder)
    with tarfile.open(sdist) as archive:
        archive.extractall(folder / "unpacked", filter="data")
    (unpacked,) = (folder / "unpacked").iterdir()
    return Packages(sdist, _make("wheel", unpacked, folder))


def _make(kind: str, source: Path, folder: Path) -> Path:
    code = f"import sys; from setuptools import build_meta as b; b.build_{kind}(sys.argv[1])"
    ran = subprocess.run([sys.executable, "-c", code, str(folder)], cwd=source, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    (made,) = folder.glob("*.tar.gz" if kind == "sdist" else "*.whl")
    return made
