"""docs/operations.md tells of every collection what bounds it, and what removes it."""

import importlib
import pkgutil
import re
from pathlib import Path

import pytest

from taskmanager.core.configuration.settings import Settings
from taskmanager.core.storage import database
from tests.architecture.test_holdings import documents

_OF_TESTS = {"emptied"}
_RAW = {"attachments.chunks", "migrations", "migration_lock"}  # that no class is for


@pytest.fixture(scope="session", autouse=True)
def _all_modules(app) -> None:
    """Have all classes of documents defined, also those that only other processes use."""
    for folder in ("core", "features", "web"):
        package = importlib.import_module(f"taskmanager.{folder}")
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            importlib.import_module(found.name)


@pytest.fixture
def rows(root: Path) -> list[list[str]]:
    text = (root / "docs/operations.md").read_text().partition("## What is stored")[2].partition("\n### ")[0]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line[:3] == "| `"]


def test_every_collection_has_a_row_and_every_row_a_collection(app, rows):
    of_others = ("system.", "x_")  # of the server, and of plugins that other tests have loaded
    stored = {name for name in database.database().list_collection_names() if not name.startswith(of_others)}
    defined = {kind._get_collection_name() for kind in documents()} | _RAW
    told = [name for row in rows for name in re.findall(r"`([^`]+)`", row[0])]
    assert sorted(told) == sorted(defined)
    assert stored - defined <= _OF_TESTS


def test_a_test_shows_that_each_collection_ends_or_does_not_grow(root, rows):
    text = (root / "docs/operations.md").read_text().partition("| what ends | shown by |")[2].partition("\n\n")[0]
    shown = [line.strip("|").split("|") for line in text.splitlines()[2:]]
    named = [name for what, _ in shown for name in re.findall(r"`([a-z_.]+)`", what)]
    stored = {name for row in rows for name in re.findall(r"`([^`]+)`", row[0])}
    assert stored - set(named) == set()
    tests = [path for _, where in shown for path in re.findall(r"`(tests/[^`]+)`", where)]
    assert len(tests) >= 10 and all((root / path).exists() for path in tests)
    ended_by_nothing = {name for row in rows if row[2] == "nothing" for name in re.findall(r"`([^`]+)`", row[0])}
    assert ended_by_nothing <= set(re.findall(r"`([a-z_]+)`", shown[-1][0]))


def test_every_row_says_what_bounds_and_what_removes_it(rows):
    assert all(len(row) == 3 and all(row) for row in rows)


def test_settings_that_are_named_are_settings(rows):
    named = {name for row in rows for cell in row[1:] for name in re.findall(r"`([A-Z][A-Z_]+)`", cell)}
    assert {name.lower() for name in named} <= set(Settings.model_fields)


def test_collections_that_are_said_to_end_by_themselves_do(app, rows):
    said = {name for row in rows if "TTL" in row[2] for name in re.findall(r"`([^`]+)`", row[0])}
    assert said == set(database.expiring_collections())


def test_jobs_that_are_named_are_periodic_jobs(app, rows):
    from taskmanager.core.events import schedule

    named = {name for row in rows for name in re.findall(r"`([a-z]+\.[a-z_]+)`", row[2])}
    assert named <= {job.name for job, _ in schedule.listed()}
