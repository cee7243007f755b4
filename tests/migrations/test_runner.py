"""Migrations run in order, once, and by one runner at a time."""

import re
import sys
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from migrations import command, renamed, runner, scripts
from taskmanager.core.errors import Conflict, Misconfigured

_SCRIPT = '''"""Counts how often it was run."""
{declares}

def upgrade(db):
    db.probe.insert_one({{"name": "{name}"}})
    {end}
'''


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of scripts in the place of the real one."""
    monkeypatch.setattr(scripts, "__path__", [str(tmp_path)])
    yield tmp_path
    for name in [name for name in sys.modules if name.startswith("migrations.scripts.m9")]:
        del sys.modules[name]


def write(folder: Path, name: str, *, end: str = "", declares: str = "") -> None:
    (folder / f"{name}.py").write_text(_SCRIPT.format(name=name, end=end, declares=declares))


# The end of a script that waits for a file.
_WAITS = """import pathlib, time
    while not (pathlib.Path(__file__).parent / "go").exists(): time.sleep(0.01)"""


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
    write(folder, "m9003_slow", end=_WAITS)
    with ThreadPoolExecutor(2) as pool:
        futures = [pool.submit(runner.run, empty) for _ in range(2)]
        wait(futures, 60, FIRST_COMPLETED)  # the other goes on only now
        (folder / "go").touch()
        answers = [future.exception() or "ran" for future in futures]
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


def test_a_database_fits_the_release_whose_migrations_it_has(empty, folder):
    write(folder, "m9010_a")
    assert "run `taskmanager migrate`" in runner.problem(empty)
    runner.run(empty)
    assert runner.problem(empty) is None


def test_an_unknown_migration_is_refused_and_nothing_is_run(empty, folder):
    write(folder, "m9011_ours")
    empty.migrations.insert_one({"_id": "m9012_theirs"})
    assert "m9012_theirs" in runner.problem(empty)
    for dry_run in (True, False):
        with pytest.raises(Misconfigured, match="newer release"):
            runner.run(empty, dry_run)
    assert ran(empty) == []
    assert empty.migration_lock.count_documents({}) == 0


def test_a_release_goes_on_after_a_migration_that_only_adds(empty, folder):
    write(folder, "m9013_adds", declares="EXPAND = True")
    runner.run(empty)
    (folder / "m9013_adds.py").unlink()  # the release before
    assert runner.problem(empty) is None
    assert runner.run(empty) == []


def test_a_release_starts_before_a_migration_that_only_removes(empty, folder):
    write(folder, "m9014_removes", declares="CONTRACT = True")
    assert runner.problem(empty) is None
    assert runner.run(empty) == ["m9014_removes"]


def test_one_that_is_older_than_the_last_that_was_run_is_refused_and_both_are_named(empty, folder):
    """Two branches were merged: the one that was written later ran first."""
    write(folder, "m9018_second")
    runner.run(empty)
    write(folder, "m9017_first")
    write(folder, "m9019_third")
    for dry_run in (True, False):
        with pytest.raises(Misconfigured, match="m9017_first is older than m9018_second"):
            runner.run(empty, dry_run)
    assert "m9017_first is older than m9018_second" in runner.problem(empty)
    lines: list[str] = []
    assert command.compare(empty, lines.append) == command.LATE
    assert "m9017_first is older than m9018_second" in lines[-1]
    assert ran(empty) == ["m9018_second"]
    (folder / "m9017_first.py").rename(folder / "m9020_first.py")
    assert runner.run(empty) == ["m9019_third", "m9020_first"]


def test_a_plugin_that_is_installed_later_is_compared_with_its_own_only():
    assert runner._late(["weather.m202601010000_a"], ["m202611281200_ours"]) == []
    assert runner._late(["weather.m1_a", "weather.m3_c"], ["sun.m4_d", "weather.m2_b"]) == [
        ("weather.m1_a", "weather.m2_b")
    ]


def test_one_that_was_renamed_after_it_ran_is_known(empty, folder, monkeypatch):
    write(folder, "m9021_first")
    write(folder, "m9022_second")
    runner.run(empty)
    (folder / "m9021_first.py").rename(folder / "m9023_first.py")
    assert "m9021_first is unknown" in runner.problem(empty)
    monkeypatch.setitem(renamed.NAMES, "m9021_first", "m9023_first")
    assert (runner.problem(empty), runner.run(empty)) == (None, [])


def test_a_database_that_ran_all_under_their_names_before_has_nothing_to_run(empty):
    names = [name for name in runner.all_names() if name <= renamed.LAST_UNTIMED]
    before = {now: then for then, now in renamed.NAMES.items()}
    empty.migrations.insert_many([{"_id": before[name]} for name in names])
    assert [name for name in runner.pending(empty) if name in names] == []
    assert runner.state(empty)[2:4] == ([], [])
    assert {row["_id"] for row in empty.migrations.find()} == {before[name] for name in names}  # for the release before


def test_the_release_before_the_new_names_goes_on(empty):
    """It knows the former names only, and takes what it does not know for run by a newer release."""
    names = [name for name in runner.all_names() if name <= renamed.LAST_UNTIMED]
    runner.run(empty)
    for new_only in (False, True):  # as the first builds with new names recorded them
        if new_only:
            empty.migrations.delete_many({"_id": {"$in": list(renamed.NAMES)}})
            runner.run(empty)
        recorded = {row["_id"] for row in empty.migrations.find()}
        assert recorded >= set(renamed.NAMES) | set(names)
    assert runner.problem(empty) is None


def test_a_release_without_a_plugin_goes_on(empty, folder, tmp_path, monkeypatch, contribute):
    package = tmp_path / "site" / "cloudy_plugin"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "helpers.py").write_text("raise RuntimeError('no migration')")
    write(package, "m202601010000_clouds")
    monkeypatch.syspath_prepend(str(package.parent))
    contribute(migrations=("cloudy_plugin",))
    name = "cloudy_plugin.m202601010000_clouds"
    assert runner.run(empty) == [name]
    assert empty.migrations.find_one({"_id": name})["expand"] is True
    empty.migrations.update_one({"_id": name}, {"$set": {"expand": False}})  # as the first builds recorded it
    runner.run(empty)
    assert empty.migrations.find_one({"_id": name})["expand"] is True
    for made, sentence in (("m2026_rain", "must be called m<yyyymmddhhmm>_<what>"), ("m202601010001_snow", "upgrade")):
        (package / f"{made}.py").write_text("")
        with pytest.raises(Misconfigured, match=f"the migration cloudy_plugin.{made} .*{sentence}"):
            runner.run(empty)
        (package / f"{made}.py").unlink()
    for module in [module for module in sys.modules if module.startswith("cloudy_plugin")]:
        del sys.modules[module]


def test_a_database_of_a_release_before_may_lack_one_between_two_others(empty):
    """Their names said a day only, and later releases had some that stood between those that there were."""
    before = {now: then for then, now in renamed.NAMES.items()}
    known = [name for name in runner.all_names() if name <= renamed.LAST_UNTIMED]
    missing = "m202611270017_words_of_descriptions"
    empty.migrations.insert_many([{"_id": before[name]} for name in known if name != missing])
    assert runner.state(empty).late == [] and runner.pending(empty)[0] == missing


def test_names_say_when_they_were_written_and_those_before_keep_their_order():
    names = runner.all_names()
    for name in names:
        written = re.fullmatch(r"m(\d{12})_[a-z0-9]+(_[a-z0-9]+)*", name)
        assert written, f"{name} is not m<yyyymmddhhmm>_<what>"
        datetime.strptime(written[1], "%Y%m%d%H%M").replace(tzinfo=UTC)  # a time that there is
    then = sorted(renamed.NAMES)
    assert set(renamed.NAMES.values()) <= set(names)
    assert [renamed.NAMES[name] for name in then] == sorted(renamed.NAMES.values())


def test_a_runner_whose_lock_was_taken_over_stops_and_leaves_the_other_its_lock(empty, folder):
    steal = 'db.migration_lock.update_one({"_id": "lock"}, {"$set": {"holder": "another"}})'
    for name in ("m9015_slow", "m9016_next"):
        write(folder, name, end=steal)
    with pytest.raises(Conflict):
        runner.run(empty)
    assert ran(empty) == ["m9015_slow"]
    assert empty.migration_lock.find_one()["holder"] == "another"


def test_the_real_ones_make_every_index_and_can_be_run_twice(empty):
    runner.run(empty)
    before = {name: set(empty[name].index_information()) for name in empty.list_collection_names()}
    empty.migrations.delete_many({})
    runner.run(empty)
    assert {name: set(empty[name].index_information()) for name in before} == before
    assert {"project_id_key", "order_created_at", "tags_due_at"} <= before["tasks"]


def test_with_expand_it_leaves_out_what_removes_something(empty, folder):
    """So that the release before may go on until all processes are replaced; what removes may run late."""
    kinds = {"m9021_adds": "EXPAND", "m9022_removes": "CONTRACT", "m9023_adds": "EXPAND"}
    for name, kind in kinds.items():
        write(folder, name, declares=f"{kind} = True")
    assert runner.run(empty, dry_run=True, expand=True) == ["m9021_adds", "m9023_adds"]
    assert runner.run(empty, expand=True) == ["m9021_adds", "m9023_adds"]
    assert runner.problem(empty) is None
    assert runner.run(empty) == ["m9022_removes"]


def test_indexes_are_made_by_migrations_and_nowhere_else(app: Flask, empty):
    """No document class makes an index by itself: each says `auto_create_index: False`."""
    from mongoengine.base.common import _document_registry as registry

    ours = [kind for kind in registry.values() if kind.__module__.startswith("taskmanager.")]
    assert len(ours) > 8
    stored = [kind for kind in ours if not kind._meta.get("abstract")]
    assert [kind.__name__ for kind in stored if kind._meta.get("auto_create_index", True)] == []
