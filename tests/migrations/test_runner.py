"""Migrations run in order, once, and by one runner at a time."""

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from migrations import runner, scripts
from taskmanager.core import database
from taskmanager.core.errors import Conflict

_SCRIPT = '''"""Counts how often it was run."""
import time

def upgrade(db):
    time.sleep({seconds})
    db.probe.insert_one({{"name": "{name}"}})
    {end}
'''


@pytest.fixture
def empty(app: Flask) -> Iterator[Any]:
    """A database that no migration has seen."""
    name = f"{database.database().name}_migrations"
    database.client().drop_database(name)
    yield database.client()[name]
    database.client().drop_database(name)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of scripts in the place of the real one."""
    monkeypatch.setattr(scripts, "__path__", [str(tmp_path)])
    yield tmp_path
    for name in [name for name in sys.modules if name.startswith("migrations.scripts.m9")]:
        del sys.modules[name]


def write(folder: Path, name: str, *, seconds: float = 0, end: str = "") -> None:
    (folder / f"{name}.py").write_text(_SCRIPT.format(seconds=seconds, name=name, end=end))


def ran(db: Any) -> list[str]:
    return [row["name"] for row in db.probe.find().sort("_id")]


def test_each_runs_once_in_the_order_of_the_names(empty, folder):
    for name in ("m9001_b", "m9000_a"):
        write(folder, name)
    assert runner.run(empty) == ["m9000_a", "m9001_b"]
    assert runner.run(empty) == []
    assert ran(empty) == ["m9000_a", "m9001_b"]


def test_a_dry_run_says_what_would_be_done_and_does_nothing(empty, folder):
    write(folder, "m9002_dry")
    assert runner.run(empty, dry_run=True) == ["m9002_dry"]
    assert ran(empty) == []
    assert runner.pending(empty) == ["m9002_dry"]


def test_of_two_runners_at_once_one_works_and_the_other_is_told(empty, folder):
    write(folder, "m9003_slow", seconds=0.5)
    with ThreadPoolExecutor(2) as pool:
        answers = [future.exception() or "ran" for future in [pool.submit(runner.run, empty) for _ in range(2)]]
    assert ran(empty) == ["m9003_slow"]
    assert sorted(type(answer).__name__ for answer in answers) == ["Conflict", "str"]


def test_one_that_fails_is_not_recorded_and_can_be_run_again(empty, folder):
    write(folder, "m9004_bad", end="raise RuntimeError('half done')")
    with pytest.raises(RuntimeError, match="half done"):
        runner.run(empty)
    assert runner.pending(empty) == ["m9004_bad"]
    write(folder, "m9005_next")
    with pytest.raises(RuntimeError, match="half done"):
        runner.run(empty)
    assert "m9005_next" not in ran(empty)


def test_the_lock_of_a_killed_runner_says_the_way_out(empty, folder):
    write(folder, "m9006_never")
    runner._lock(empty)
    with pytest.raises(Conflict, match="migration_lock"):
        runner.run(empty)


def test_the_real_ones_make_every_index_and_can_be_run_twice(empty):
    runner.run(empty)
    before = {name: set(empty[name].index_information()) for name in empty.list_collection_names()}
    empty.migrations.delete_many({})
    runner.run(empty)
    assert {name: set(empty[name].index_information()) for name in before} == before
    assert {"key", "list_created_at", "list_due_at"} <= before["tasks"]


def test_indexes_are_made_by_migrations_and_nowhere_else(app: Flask, empty):
    """No document class makes an index by itself: each says `auto_create_index: False`."""
    from mongoengine.base.common import _document_registry as registry

    ours = [kind for kind in registry.values() if kind.__module__.startswith("taskmanager.")]
    assert len(ours) > 8
    assert [kind.__name__ for kind in ours if kind._meta.get("auto_create_index", True)] == []
