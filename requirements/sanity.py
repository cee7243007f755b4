"""Checks what neither ruff nor mypy reads: that setup.cfg and the locks agree, and that names in it exist."""

import configparser
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SECTIONS = {
    "install_requires": "base.txt",
    "embedded": "run.txt",
    "traces": "test.txt",
    "sentry": "test.txt",
    "test": "test.txt",
}


def problems() -> list[str]:
    """One sentence for each thing that is wrong."""
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg", encoding="utf-8")
    wanted = {**config["options.extras_require"], "install_requires": config["options"]["install_requires"]}
    return [*_unlocked(wanted), *_loose(), *_dangling(config["options.entry_points"])]


def _unlocked(wanted: dict[str, str]) -> list[str]:
    return [
        f"{name} of setup.cfg is not in requirements/{file}: run 'make lock'"
        for section, file in SECTIONS.items()
        for name in sorted(_names(wanted[section]) - _names(_lock(file)))
    ]


def _loose() -> list[str]:
    return [
        f"requirements/{file}: '{line}' is not an exact version"
        for file in SECTIONS.values()
        for line in _lock(file).splitlines()
        if not re.match(r"[\w.-]+(\[[\w,-]+\])?==\S+( ; .+)?$", line)
    ]


def _dangling(entry_points: configparser.SectionProxy) -> list[str]:
    targets = re.findall(r"=\s*([\w.]+):", "\n".join(entry_points.values()))
    files = {name: (ROOT / name.replace(".", "/")).with_suffix(".py") for name in targets}
    return [f"the entry point {name} has no module" for name, file in files.items() if not file.exists()]


def _lock(file: str) -> str:
    return (ROOT / "requirements" / file).read_text(encoding="utf-8")


def _names(requirements: str) -> set[str]:
    lines = (line.split("#")[0].strip() for line in requirements.splitlines())
    return {re.sub(r"[-_.]+", "-", re.match(r"[\w.-]+", line)[0]).lower() for line in lines if line}  # type: ignore[index]


if __name__ == "__main__":
    sys.exit("\n".join(problems()) or None)
