"""Nothing of the repository is missing in the packages: not in the source distribution, not in the wheel."""

from pathlib import Path

import pytest

from tests.packaging.building import Packages

PACKAGES = ("taskmanager", "workers", "migrations", "config")
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
    assert ours - packages.in_wheel() == set()


def test_the_wheel_has_nothing_else(packages: Packages):
    tops = {name.partition("/")[0] for name in packages.in_wheel()}
    assert {top for top in tops if not top.endswith(".dist-info")} == {*PACKAGES, "wsgi.py"}
    assert [name for name in packages.in_wheel() if "__pycache__" in name or name.endswith(".pyc")] == []


@pytest.mark.parametrize("folder", DEVELOPMENT)
def test_what_is_for_development_is_in_the_source_distribution_only(packages: Packages, folder: str):
    assert any(name.startswith(folder) for name in packages.in_sdist())
    assert not any(name.startswith(folder) for name in packages.in_wheel())


def test_the_license_is_in_both(packages: Packages):
    assert "LICENSE" in packages.in_sdist()
    assert [name for name in packages.in_wheel() if name.endswith("licenses/LICENSE")]
