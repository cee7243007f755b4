"""Each import contract of setup.cfg catches what it forbids: planted in a copy of the code, one violation for each."""

import re
import shutil
import subprocess
import sys
from configparser import ConfigParser
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

CODE = ("taskmanager", "workers", "migrations", "config")
# The contract's id: the module that breaks it, and what it must not import.
PLANTED = {
    "outside": ("taskmanager/core/clock.py", "workers.relay"),
    "layers": ("taskmanager/core/text.py", "taskmanager.web.answers"),
    "features": ("taskmanager/features/tasks/due.py", "taskmanager.features.comments.markdown"),
    "inside": ("taskmanager/features/comments/models.py", "taskmanager.features.comments.service"),
    "tasks": ("taskmanager/features/tasks/relations/acyclic.py", "taskmanager.features.tasks.recurrence.rules"),
    "notifications": (
        "taskmanager/features/notifications/content/quoting.py",
        "taskmanager.features.notifications.phones",
    ),
    "users": ("taskmanager/features/users/passwords.py", "taskmanager.features.users.sessions.lockout"),
    "projects": ("taskmanager/features/projects/workflow.py", "taskmanager.features.projects.share_links.schemas"),
    "webhooks": ("taskmanager/features/webhooks/models.py", "taskmanager.features.webhooks.delivery.bodies"),
    "insights": ("taskmanager/features/insights/matches.py", "taskmanager.features.insights.statistics"),
    "quick_add": ("taskmanager/features/quick_add/vocabulary.py", "taskmanager.features.quick_add.days"),
    "sync": ("taskmanager/features/sync/objects.py", "taskmanager.features.sync.tokens"),
    "others": ("taskmanager/features/attachments/storage.py", "taskmanager.features.attachments.lost_contents"),
    "http": ("taskmanager/features/quick_add/grammar.py", "flask"),
    "production": ("workers/pool.py", "taskmanager.embedded.ports"),
    "testing": ("workers/local_url.py", "taskmanager.testing.emptying"),
    "embedded": ("taskmanager/embedded/ports.py", "flask"),
}


@pytest.fixture(scope="module")
def config(root: Path) -> ConfigParser:
    """What `setup.cfg` says."""
    found = ConfigParser()
    found.read(root / "setup.cfg")
    return found


@pytest.fixture(scope="module")
def contracts(config: ConfigParser) -> dict[str, str]:
    """The name of each contract by its id."""
    prefix = "importlinter:contract:"
    return {part.removeprefix(prefix): config[part]["name"] for part in config.sections() if part.startswith(prefix)}


@pytest.fixture(scope="module")
def layers(config: ConfigParser) -> dict[str, set[str]]:
    """The modules that the contracts inside packages name, by the pattern of the package."""
    found: dict[str, set[str]] = {}
    for part in (config[name] for name in config.sections() if "layers" in config[name]):
        for container in part.get("containers", "").split():
            found.setdefault(container, set()).update(re.findall(r"\w+", part["layers"]))
    return {container: names for container, names in found.items() if container != "taskmanager.features"}


@pytest.fixture(scope="module")
def said(root: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """What the linter says of a copy with all violations."""
    copy = tmp_path_factory.mktemp("planted")
    for name in CODE:
        shutil.copytree(root / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(root / "setup.cfg", copy)
    for path, imported in PLANTED.values():
        with (copy / path).open("a") as file:
            file.write(f"\nimport {imported}\n")
    linter = Path(sys.executable).with_name("lint-imports")
    command = [linter, "--config", "setup.cfg", "--no-cache"]
    ran = subprocess.run(command, cwd=copy, capture_output=True, text=True, check=False)
    assert ran.returncode == 1, ran.stdout + ran.stderr
    return " ".join(ran.stdout.split())


def test_there_is_a_violation_for_each_contract(contracts: dict[str, str]):
    assert contracts.keys() == PLANTED.keys()


@pytest.mark.parametrize("contract", PLANTED)
def test_the_contract_catches_what_it_forbids(contract: str, contracts: dict[str, str], said: str):
    assert re.search(re.escape(contracts[contract]) + r" BROKEN", said), said


def test_every_module_of_a_feature_is_bound_by_a_contract_inside_it(root: Path, layers: dict[str, set[str]]):
    unbound = []
    for path in (root / "taskmanager/features").rglob("*.py"):
        parts = path.relative_to(root).with_suffix("").parts
        levels = [(".".join(parts[:depth]), parts[depth]) for depth in range(3, len(parts))]
        if path.stem != "__init__" and not any(
            name in names and fnmatchcase(package, container) and package.count(".") == container.count(".")
            for package, name in levels
            for container, names in layers.items()
        ):
            unbound.append(str(path.relative_to(root)))
    assert unbound == []
