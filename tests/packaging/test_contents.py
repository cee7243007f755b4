"""Nothing of the repository is missing in the packages: not in the source distribution, not in the wheel."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.packaging.building import Packages

PACKAGES = ("taskmanager", "workers", "migrations", "config")
OUTER = ("workers", "migrations", "config", "wsgi.py")  # which the wheel has below `taskmanager/outer`
# for development: an editable install has them
DEVELOPMENT = ("taskmanager/embedded/", "taskmanager/testing/")

pytestmark = pytest.mark.timeout(300)


def test_the_source_distribution_has_every_file(packages: Packages, files: list[Path]):
    assert {str(path) for path in files} - packages.in_sdist() == set()


def test_the_wheel_has_every_file_of_the_packages_whatever_its_kind(packages: Packages, files: list[Path]):
    ours = {str(path) for path in files if path.parts[0] in PACKAGES or path.name == "wsgi.py"}
    ours = {path for path in ours if not path.startswith(DEVELOPMENT)}
    others = {path for path in ours if not path.endswith(".py")}
    assert {"taskmanager/py.typed", "config/env.example", "taskmanager/api/docs_page/index.html"} < others
    placed = {f"taskmanager/outer/{path}" if path.startswith(OUTER) else path for path in ours}
    assert placed - packages.in_wheel() == set()


def test_the_wheel_has_nothing_else(packages: Packages):
    tops = {name.partition("/")[0] for name in packages.in_wheel()}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"taskmanager"}
    assert [name for name in packages.in_wheel() if "__pycache__" in name or name.endswith(".pyc")] == []


@pytest.mark.parametrize("folder", DEVELOPMENT)
def test_what_is_for_development_is_in_the_source_distribution_only(packages: Packages, folder: str):
    assert any(name.startswith(folder) for name in packages.in_sdist())
    assert not any(name.startswith(folder) for name in packages.in_wheel())


def test_both_pass_the_checks_of_publishers(packages: Packages):
    files = [str(packages.sdist), str(packages.wheel)]
    for command in (["twine", "check", "--strict", *files], ["check-wheel-contents", files[1]]):
        ran = subprocess.run(
            [Path(sys.executable).with_name(command[0]), *command[1:]], capture_output=True, text=True, check=False
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr


def test_the_license_is_in_both(packages: Packages):
    assert "LICENSE" in packages.in_sdist()
    assert [name for name in packages.in_wheel() if name.endswith("licenses/LICENSE")]
