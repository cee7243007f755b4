"""House rules as checks: what was said twice is said here once."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

CODE = ("taskmanager", "workers", "migrations", "config")
# What `functools.cache` may keep, of which two first threads make two: it has no connection, no thread and no lock.
VALUES = {"Path", "bool", "bytes", "dict", "frozenset", "str", "tuple", "Fernet", "Mapping", "Metric", "Signer", "type"}
VALUES |= {
    "Dates",
    "NullTranslations",
    "Schema",
    "jinja2.Environment",
    "jinja2.Template",
    "re.Pattern",
    "ssl.SSLContext",
}


@pytest.fixture
def sources(root: Path) -> list[Path]:
    return [path for folder in CODE for path in sorted((root / folder).rglob("*.py"))]


def test_import_contracts_hold(root: Path):
    """Who may import whom: the contracts are in setup.cfg."""
    linter = Path(sys.executable).with_name("lint-imports")
    ran = subprocess.run([linter, "--config", "setup.cfg", "--no-cache"], cwd=root, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_no_file_is_longer_than_300_lines(sources: list[Path]):
    assert {str(path): count for path in sources if (count := _lines(path)) > 300} == {}


def test_few_functions_are_longer_than_25_lines(sources: list[Path]):
    """Without docstrings; a table or a list of fields may be long, so a few may."""
    long = {
        f"{path.name}:{node.name}": size for path in sources for node in _functions(path) if (size := _size(node)) > 25
    }
    assert len(long) <= 3, long


def test_no_one_reads_the_environment_but_the_settings(sources: list[Path]):
    # up, release, server and entry hand the environment on to what they start, metric_files to a library; a health
    # check must not cost what reading settings does; heaps looks whether the C library was told something
    allowed = {"settings.py", "up.py", "server.py", "entry.py", "heartbeat.py", "metric_files.py", "release.py"}
    allowed |= {"heaps.py"}
    readers = {path.name for path in sources if "os.environ" in path.read_text() or "os.getenv" in path.read_text()}
    assert readers <= allowed


def test_no_file_is_a_drawer_for_everything(sources: list[Path]):
    assert [path for path in sources if path.stem in ("utils", "helpers", "common", "misc")] == []


def test_every_public_service_function_says_what_it_does(sources: list[Path]):
    silent = [
        f"{path.parent.name}.{node.name}"
        for path in sources
        if path.name in ("service.py", "members.py", "routes.py")
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_") and not ast.get_docstring(node)
    ]
    assert silent == []


def test_services_do_not_enqueue(sources: list[Path]):
    """A side effect starts from a committed event, never from a use case."""
    services = [path for path in sources if path.name == "service.py" and path.parent.name != "delivery"]
    assert [path for path in services if "enqueue" in path.read_text()] == []


def test_lists_are_answered_in_one_way(sources: list[Path]):
    """`answers.listing` pages and counts what a feature's `visible` returns; only tasks trim pages."""
    routes = [path for path in sources if "features" in path.parts and path.name == "routes.py"]
    assert [path.parent.name for path in routes if "answers.collection" in path.read_text()] == ["tasks"]
    services = [ast.parse(path.read_text()).body for path in sources if path.name == "service.py"]
    named = {node.name for body in services for node in body if isinstance(node, ast.FunctionDef)}
    assert not {"find", "total"} & named


def test_each_write_of_a_task_is_counted(sources: list[Path]):
    """Counts and generations follow the methods of `Versioned`; a write that goes past them is seen by neither."""
    past = re.compile(
        r"Task\.objects\b[^\n]*\.(update|modify|insert|delete)(_one)?\("
        r"|Task\._get_collection\(\)\.(insert|update|delete|replace|bulk|find_one_and)"
    )
    writers = {path.stem for path in sources if "taskmanager" in path.parts and past.search(path.read_text())}
    assert writers == {"purging"}, "only tasks of a project that is purged, with its counts, may go uncounted"


def test_no_code_is_made_of_text(sources: list[Path]):
    calls = [(path.name, node) for path in sources for node in ast.walk(ast.parse(path.read_text()))]
    named = [
        (name, node.func.id) for name, node in calls if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    ]
    assert [(name, called) for name, called in named if called in ("eval", "exec", "compile")] == []


def test_no_test_runs_a_loop_of_events_in_the_main_thread(root: Path):
    """The tests of pages have one there, for as long as the process lives: another fails after them, and not before."""
    texts = {path: path.read_text() for path in sorted((root / "tests").rglob("*.py")) if "bench" not in path.parts}
    calls = re.compile(r"asyncio\.(run|Runner)\(|run_(until_complete|forever)\(")
    programs = {path for path, text in texts.items() if '__name__ == "__main__"' in text}  # in a process of their own
    assert [str(path) for path, text in texts.items() if calls.search(text) and path not in programs] == []


def test_what_has_connections_is_made_once(sources: list[Path]):
    """`functools.cache` makes a second one for a thread that asks meanwhile: `core.locking.made_once` does not."""
    cached = {
        f"{path.stem}.{node.name}": ast.unparse(node.returns).partition("[")[0]
        for path in sources
        for node in _functions(path)
        if node.returns and any(re.search(r"\b(lru_)?cache\b", ast.unparse(one)) for one in node.decorator_list)
    }
    assert {name: kind for name, kind in cached.items() if kind not in VALUES} == {}


def test_what_a_request_keeps_is_known_to_one_module(sources: list[Path]):
    """`g`, or `per_request`, keeps what a function has worked out for the request; others call that function."""
    use = re.compile(
        r'(?:\b(?:g|per_request)|vars\(request_globals\(\)\))(?:\.get\("|\.setdefault\("|\["|\.)([a-z][a-z_]*)\b(?!\()'
    )
    known: dict[str, set[str]] = {}
    for path in sources:
        for name in use.findall(path.read_text()):
            known.setdefault(name, set()).add(path.name)
    assert known.keys() >= {"actor", "claim", "request_id"}
    assert {name: paths for name, paths in known.items() if len(paths) > 1} == {}


def _lines(path: Path) -> int:
    return len(path.read_text().splitlines())


def _functions(path: Path) -> Iterator[ast.FunctionDef]:
    return (node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef))


def _size(node: ast.FunctionDef) -> int:
    documented = len((ast.get_docstring(node, clean=False) or "").splitlines())
    return (node.end_lineno or node.lineno) - node.lineno + 1 - documented
