"""Clients that generators make of the API's document, and what linters say of it.

Here openapi-python-client generates a client with its defaults, and the main journey is driven through it. `make
clients` does the rest: mypy in strict mode on the journey, openapi-typescript with `tsc --strict`, Spectral, Redocly.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.web_server import WebServer

HERE = Path(__file__).parent
NPM = HERE.parents[1] / ".data-clients" / "node_modules" / ".bin"
BIN = Path(sys.executable).parent
in_full = pytest.mark.skipif("CLIENTS_TEST" not in os.environ, reason="takes a minute: `make clients` runs it")
with_npm = pytest.mark.skipif(not NPM.is_dir(), reason="the tools of npm are not installed: `make clients` does")


def run(*command: object, cwd: Path, **environment: str) -> str:
    path = f"{BIN}{os.pathsep}{os.environ['PATH']}"
    ran = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=os.environ | {"PATH": path, "REDOCLY_TELEMETRY": "off"} | environment,
        capture_output=True,
        text=True,
        timeout=500,
    )
    assert ran.returncode == 0, ran.stdout[-4000:] + ran.stderr[-4000:]
    return ran.stdout + ran.stderr


@pytest.fixture(scope="module")
def document(root: Path) -> Path:
    return root / "docs" / "openapi.json"


@pytest.fixture(scope="module")
def generated(document: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the package `taskmanager_client`."""
    folder = tmp_path_factory.mktemp("clients")
    target = folder / "taskmanager_client"
    command = [BIN / "openapi-python-client", "generate", "--path", document, "--output-path", target]
    said = run(*command, "--meta", "none", "--fail-on-warning", cwd=folder)
    assert "arning" not in said, said
    return folder


def test_the_main_journey_goes_through_the_generated_client(generated: Path, server: WebServer):
    told = run(sys.executable, HERE / "journey.py", server.url, cwd=generated, PYTHONPATH=str(generated))
    assert told.startswith("3 tasks, 1 comment")


@in_full
def test_the_journey_needs_no_cast_and_no_comparison_with_unset(generated: Path):
    source = (HERE / "journey.py").read_text()
    assert "cast(" not in source
    assert "UNSET" not in source
    options = ["--strict", "--no-incremental", "--follow-imports", "silent", "--config-file", os.devnull]
    run(BIN / "mypy", *options, HERE / "journey.py", cwd=generated, MYPYPATH=str(generated))


@in_full
@with_npm
def test_typescript_accepts_the_generated_types(document: Path, tmp_path: Path):
    said = run(NPM / "openapi-typescript", document, "-o", tmp_path / "schema.d.ts", cwd=tmp_path)
    assert "warn" not in said.lower(), said
    (tmp_path / "consumer.ts").write_text((HERE / "consumer.ts").read_text())
    run(NPM / "tsc", "--strict", "--noEmit", "--target", "es2022", "--module", "esnext", "consumer.ts", cwd=tmp_path)


@in_full
@with_npm
def test_spectral_and_redocly_have_nothing_to_say(document: Path, tmp_path: Path):
    options = ["--ruleset", HERE / "spectral.yaml", "--fail-severity", "hint"]
    assert "No results" in run(NPM / "spectral", "lint", document, *options, cwd=tmp_path)
    said = run(NPM / "redocly", "lint", document, "--config", HERE / "redocly.yaml", cwd=tmp_path)
    assert "is valid" in said
    assert "You have" not in said, said
