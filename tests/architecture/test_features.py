"""Every feature says in one object what it contributes, and importing a module adds nothing anywhere."""

import ast
import importlib
import pkgutil
import subprocess
import sys
from collections.abc import Iterator
from configparser import ConfigParser
from pathlib import Path
from types import ModuleType

import click
import flask_smorest
import pytest

from taskmanager import features
from taskmanager.app import CORE, FEATURES
from taskmanager.cli import group
from taskmanager.core.events.log import Listener
from taskmanager.core.events.outbox import JobSource
from taskmanager.core.events.schedule import PeriodicJob
from taskmanager.core.security.permissions import Action
from taskmanager.feature import PARTS, build_registry
from taskmanager.features.notifications.content.registry import NoticeWriter
from taskmanager.features.projects.permissions import RoleAction

FOLDERS = sorted(found.name for found in pkgutil.iter_modules(features.__path__))
# What is good for nothing unless a feature contributes it: the kind, and the part of a Feature that it stands in.
CONTRIBUTED = {
    Listener: "listeners",
    PeriodicJob: "periodic_jobs",
    JobSource: "job_sources",
    NoticeWriter: "notices",
    flask_smorest.Blueprint: "blueprints",
}


def modules() -> Iterator[ModuleType]:
    for found in pkgutil.walk_packages(features.__path__, f"{features.__name__}."):
        yield importlib.import_module(found.name)


@pytest.mark.parametrize("name", FOLDERS)
def test_each_folder_declares_a_feature_that_is_in_the_list_of_the_application(name):
    feature = importlib.import_module(f"{features.__name__}.{name}.feature").FEATURE
    assert (feature.name, feature in FEATURES) == (name, True)


def test_the_list_of_the_application_has_nothing_else():
    assert sorted(feature.name for feature in FEATURES) == sorted([*FOLDERS, "stream"])  # which sync declares


@pytest.mark.parametrize(("kind", "part"), CONTRIBUTED.items(), ids=CONTRIBUTED.values())
def test_what_a_module_declares_is_contributed(kind, part):
    declared = {id(thing): thing for module in modules() for thing in vars(module).values() if isinstance(thing, kind)}
    contributed = {id(thing) for feature in (CORE, *FEATURES) for thing in getattr(feature, part)}
    assert [thing for key, thing in declared.items() if key not in contributed] == []


def test_each_table_of_permissions_is_contributed():
    tables = {kind for kind in Action.__subclasses__() + RoleAction.__subclasses__() if len(kind)}
    ours = {kind for kind in tables if kind.__module__.startswith("taskmanager.")}
    assert ours == {table for feature in FEATURES for table in feature.permissions}


def test_the_command_line_has_the_commands_of_the_features():
    commands = {command.name: command for feature in FEATURES for command in feature.commands}
    assert {name: group.commands[name] for name in commands} == commands
    assert all(isinstance(command, click.Command) for command in commands.values())


def test_the_features_fit_together():
    assert set(PARTS) <= set(build_registry((CORE, *FEATURES)).parts)


def test_the_order_of_features_is_that_of_the_contract(root: Path):
    config = ConfigParser()
    config.read(root / "setup.cfg")
    contract = config["importlinter:contract:features"]
    named = {name for line in contract["layers"].split("\n") for name in line.replace("|", " ").split()}
    assert (contract.getboolean("exhaustive"), sorted(named)) == (True, FOLDERS)


def test_importing_everything_leaves_no_registry_and_needs_nothing_of_tests(root: Path):
    code = """
import importlib, pathlib, sys
for path in sorted(pathlib.Path("taskmanager").rglob("*.py")):
    if path.parts[1] not in ("embedded", "testing"):
        importlib.import_module(".".join(path.with_suffix("").parts))
from taskmanager.core import registry
print(registry.is_loaded(), sorted({"pytest", "factory", "aiosmtpd"} & set(sys.modules)))
"""
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, timeout=300, check=True
    )
    assert ran.stdout.splitlines() == ["False []"]


def test_no_module_is_imported_for_what_its_import_does(root: Path):
    """An import that is used for nothing else would be marked, because the linter removes it."""
    folders = ("taskmanager", "workers", "migrations", "config")
    marked = [path for folder in folders for path in (root / folder).rglob("*.py") if "F401" in path.read_text()]
    assert marked == []


def test_no_module_of_the_package_does_anything_at_import(root: Path):
    """Neither a call that is no assignment, such as one that registers something, nor a change of something else."""
    doing = {
        str(path.relative_to(root))
        for path in sorted((root / "taskmanager").rglob("*.py"))
        for node in ast.parse(path.read_text()).body
        if acts(node)
    }
    assert doing == EXPLAINED.keys()


# What a library has no argument and no subclass for.
EXPLAINED = {
    "taskmanager/core/telemetry/instruments.py": "an option of prometheus-client that is a function",
    "taskmanager/features/comments/markdown.py": "a bound of markdown-it-py that is a constant of its module",
}


def acts(node: ast.stmt) -> bool:
    if isinstance(node, ast.Assign):
        return any(isinstance(target, ast.Attribute | ast.Subscript) for target in node.targets)
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)
