"""The packages, built once for all tests of them.

What installs them into an empty environment, or into an image, takes minutes: `make package-test` asks for that.
"""

import os
from pathlib import Path

import pytest

from tests.packaging.building import Packages, build, tracked

collect_ignore = [] if os.environ.get("PACKAGE_TEST") else ["test_wheel.py", "test_image.py"]


@pytest.fixture(scope="session")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Packages:
    """The source distribution and the wheel that is built from it."""
    if not tracked():
        pytest.skip("needs a checkout of the repository: it says what belongs into the packages")
    return build(tmp_path_factory.mktemp("packages"))


@pytest.fixture
def files() -> list[Path]:
    """The files of the repository."""
    return [Path(name) for name in tracked()]
