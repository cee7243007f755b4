"""What the pages name exists: settings, files, routes, links."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from taskmanager.core.configuration.gateway_settings import GatewaySettings
from taskmanager.core.configuration.settings import Settings

ROOT = Path(__file__).parents[2]
PAGES = [
    path.relative_to(ROOT)
    for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"))
    if path.name != "CHANGELOG.md"  # tells of what was, too
]
# Where the paths of pages begin.
BASES = (
    "",
    "taskmanager",
    "taskmanager/core/configuration",
    "taskmanager/features",
    "taskmanager/features/notifications",
    "taskmanager/features/tasks",
    "tests",
    "docs",
    "docs/plugin-template",
)
OTHER_VARIABLES = {"TASKMANAGER_ENVIRONMENT"}  # `config/settings.py` reads it before there are settings
ELSEWHERE = {
    *("services/comments.py", "routes/comments.py"),  # an alternative that was not taken
    *("taskmanager_weather/feature.py", "taskmanager_example/"),  # plugins that pages show how to make
}


@pytest.fixture(params=PAGES, ids=str)
def text(request: pytest.FixtureRequest) -> str:
    return (ROOT / request.param).read_text()


def test_settings(text: str):
    known = {f"TASKMANAGER_{name.upper()}" for name in Settings.model_fields} | OTHER_VARIABLES
    known |= {f"TASKMANAGER_GATEWAY_{name.upper()}" for name in GatewaySettings.model_fields}
    named = set(re.findall(r"\bTASKMANAGER_[A-Z_]*[A-Z](?![A-Z_])(?!_?…)", text)) - known
    families = {name for name in named if any(other.startswith(f"{name}_") for other in known)}
    assert named - families == set()


def test_files(text: str):
    named = set(re.findall(r"`(\w[\w./-]*/[\w.-]+\.(?:py|md|txt|html|cfg|yml|yaml|json))`", text))
    named |= set(re.findall(r"`((?:\w+/)+)`", text))
    assert [name for name in named - ELSEWHERE if not any((ROOT / base / name).exists() for base in BASES)] == []


def test_routes(text: str):
    known = set(_routes())
    named = {(method, _shape(path)) for method, path in re.findall(r"`(GET|POST|PUT|PATCH|DELETE) (/[\w{}/-]+)`", text)}
    assert {(method, path) for method, path in named - known if not path.startswith("/x/")} == set()  # of plugins


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_links(page: Path):
    targets = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", (ROOT / page).read_text())
    assert [target for target in targets if not (ROOT / page.parent / target).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_headings_that_links_name(page: Path):
    targets = re.findall(r"\]\(([^)#:]*)#([^)]+)\)", (ROOT / page).read_text())
    missing = [
        (path, name)
        for path, name in targets
        if name not in _headings(ROOT / page.parent / path if path else ROOT / page)
    ]
    assert missing == []


def _headings(path: Path) -> set[str]:
    """The names by which the headings of a page are linked to."""
    lines = re.findall(r"^#+ (.+)$", path.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", line).strip().lower().replace(" ", "-") for line in lines}


def _routes() -> Iterator[tuple[str, str]]:
    document = json.loads((ROOT / "docs" / "openapi.json").read_text())
    for path, operations in document["paths"].items():
        for method in operations:
            yield method.upper(), _shape(path)


def _shape(path: str) -> str:
    return re.sub(r"\{[^}]*\}", "{}", path.removeprefix("/api/v1"))


def test_each_page_has_a_place_in_the_site():
    """Else `make docs` fails, as the pages would be found by search alone."""
    named = set(re.findall(r"[\w-]+\.md", (ROOT / ".ci/docs/mkdocs.yml").read_text()))
    assert {path.name for path in ROOT.glob("docs/*.md")} - named == set()
