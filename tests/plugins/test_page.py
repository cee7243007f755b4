"""docs/plugins.md names every field of Feature, every fixture, and no class that there is not."""

import re
from pathlib import Path

import pytest

from taskmanager import testing
from taskmanager.feature import PARTS

# Classes of the plugin that the page makes up, and of libraries.
MADE_UP = {"WeatherAction", "WeatherSettings", "Rained", "SettingsConfigDict"}


@pytest.fixture(scope="module")
def page(root: Path) -> str:
    return (root / "docs" / "plugins.md").read_text()


@pytest.mark.parametrize("part", [*PARTS, "settings"])
def test_each_field_of_a_feature_is_on_the_page_and_in_the_sample(part: str, page: str, root: Path):
    only_of_the_service = {"jobs", "job_sources", "event_needs", "event_renewals"}
    sample = (root / "tests/plugins/sample_plugin/taskmanager_sample/feature.py").read_text()
    assert f"`{part}`" in page
    assert f"    {part}=" in sample or part in only_of_the_service


def test_each_class_that_the_page_calls_is_there(page: str, root: Path):
    called = set(re.findall(r"\b([A-Z][a-z]\w+)\(", page)) - MADE_UP
    code = "\n".join(path.read_text() for path in (root / "taskmanager").rglob("*.py"))
    assert [name for name in called if not re.search(rf"^class {name}\b", code, re.MULTILINE)] == []


def test_each_dotted_name_on_the_page_is_there(page: str, root: Path):
    named = set(re.findall(r"`(taskmanager(?:\.[a-z_]+)+)(?:\.([A-Z]\w+))?", page))
    for module, name in named:
        path = root.joinpath(*module.split("."))
        found = path.with_suffix(".py") if path.with_suffix(".py").exists() else path / "__init__.py"
        assert found.exists(), module
        assert not name or re.search(rf"^(class )?{name}\b", found.read_text(), re.MULTILINE), f"{module}.{name}"


def test_each_fixture_is_on_the_page(page: str):
    ours = {name for name in testing.__all__ if not name.startswith(("_", "pytest_"))}
    hidden = {"mail_server", "prepare_app"}  # what the others are made of
    assert [name for name in sorted(ours - hidden) if f"`{name}`" not in page] == []
