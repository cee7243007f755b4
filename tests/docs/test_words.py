"""The language of code and documents: people are "the user", "the member", "they"."""

import re
from pathlib import Path

import pytest

_REFUSED = re.compile(r"(?<![a-z])(nobody|somebody|he|him|his|himself|she|her|hers|herself)(?![a-z])", re.IGNORECASE)
_PLACES = ("README.md", "CONTRIBUTING.md", "docs", "taskmanager", "workers", "migrations", "config", "tests")
_KINDS = {".py", ".md", ".html", ".txt", ".js", ".json", ".example"}


def _files(place: Path) -> list[Path]:
    found = [place] if place.is_file() else sorted(place.rglob("*"))
    return [path for path in found if path.suffix in _KINDS and path != Path(__file__)]


@pytest.mark.parametrize("place", _PLACES)
def test_no_text_is_about_a_man_or_about_nobody(root: Path, place: str):
    files = _files(root / place)
    assert files
    found = [
        f"{path.relative_to(root)}:{number}: {line.strip()}"
        for path in files
        for number, line in enumerate(path.read_text().splitlines(), start=1)
        if _REFUSED.search(line)
    ]
    assert not found, "\n".join(found)
