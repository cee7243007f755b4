"""The template of a plugin, copied and installed as its README says: its own tests pass."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def copied(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the copy, with the package installed in `installed`."""
    copy = tmp_path_factory.mktemp("plugin") / "mine"
    shutil.copytree(root / "docs" / "plugin-template", copy)
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*pip, "--target", str(copy / "installed"), str(copy)], check=True, timeout=300)
    return copy


@pytest.fixture(scope="module")
def environment(copied: Path, root: Path) -> dict[str, str]:
    """As if the plugin and the service were installed in the same environment."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith(("TASKMANAGER_", "PYTEST_"))}
    return ours | {"PYTHONPATH": f"{copied / 'installed'}{os.pathsep}{root}", "TASKMANAGER_DATA_DIR": str(copied)}


def test_its_tests_pass(copied, environment):
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:randomly", "-p", "no:cacheprovider"]
    ran = subprocess.run(command, cwd=copied, env=environment, capture_output=True, text=True, timeout=500, check=False)
    assert "2 passed" in ran.stdout, ran.stdout + ran.stderr


def test_it_is_listed_with_what_it_adds(copied, environment):
    command = [sys.executable, "-m", "workers.cli", "plugins"]
    ran = subprocess.run(command, cwd=copied, env=environment, capture_output=True, text=True, timeout=300, check=True)
    assert ran.stdout.splitlines()[0] == "example 0.1.0 (interface 1.0)"
    assert "  listeners: example.count" in ran.stdout.splitlines()


def test_its_command_line_help_does_not_load_it(copied, environment):
    code = "import sys; from workers.cli import main; main.main(['x', '--help'], standalone_mode=False);"
    code += "print([name for name in sys.modules if name.startswith(('taskmanager_example', 'flask'))])"
    command = [sys.executable, "-c", code]
    ran = subprocess.run(command, cwd=copied, env=environment, capture_output=True, text=True, timeout=300, check=True)
    assert "example" in ran.stdout
    assert ran.stdout.splitlines()[-1] == "[]"
