"""Texts for people: each is translated into each language, and the compiled catalogues are those of their sources."""

import io
import re
import subprocess
import sys
from pathlib import Path

import pytest
from babel.messages.mofile import read_mo
from babel.messages.pofile import read_po

from taskmanager.core.localization import languages

OTHERS = [tag for tag in languages.available() if tag != languages.DEFAULT]


@pytest.fixture(scope="module")
def wanted(tmp_path_factory):
    """The texts in code and templates."""
    path, folder = tmp_path_factory.mktemp("texts") / "messages.pot", languages.FOLDER
    pybabel = Path(sys.executable).with_name("pybabel")
    command = [pybabel, "-q", "extract", "-F", folder / "babel.cfg", "-k", "marked", "-o", path, folder.parent]
    subprocess.run(command, check=True, cwd=folder.parents[1])
    return set(texts_of(path))


def texts_of(path):
    """The translations, by text; both are tuples where a text has a plural."""
    catalogue = (read_mo if path.suffix == ".mo" else read_po)(io.BytesIO(path.read_bytes()))
    found = [message for message in catalogue if message.id]
    assert not [message.id for message in found if message.fuzzy]
    return {_whole(message.id): _whole(message.string) for message in found}


def _whole(text):
    return text if isinstance(text, str) else tuple(text)


def test_there_is_german():
    assert OTHERS == ["de"]


@pytest.mark.parametrize("tag", OTHERS)
def test_each_text_is_translated_and_compiled(wanted, tag):
    folder = languages.FOLDER / tag / "LC_MESSAGES"
    texts = texts_of(folder / "messages.po")
    assert set(texts) == wanted, "run `make messages`"
    assert texts_of(folder / "messages.mo") == texts, "run `make messages`"
    assert [key for key, text in texts.items() if not text or not all(text)] == []
    for key, text in texts.items():
        names = [set(re.findall(r"%\((\w+)\)s", part)) for part in ([text] if isinstance(text, str) else text)]
        known = set(re.findall(r"%\((\w+)\)s", key if isinstance(key, str) else key[1]))
        assert all(found <= known for found in names) and names[-1] == known, key


def test_a_language_is_chosen_by_what_the_reader_prefers():
    assert languages.negotiate(["de-AT", "en"]) == "de"
    assert languages.negotiate(["fr", "de"]) == "de"
    assert [languages.negotiate([tag]) for tag in ("DE", "DE-at", "de_AT", "De-CH-1996")] == ["de"] * 4
    assert languages.negotiate(["fr"]) == languages.negotiate(["*"]) == languages.negotiate([]) == "en"
    with languages.using("de"):
        assert languages.gettext("Log in") == "Anmelden"
        with languages.using("xx"):
            assert languages.gettext("Log in") == "Log in"
    assert languages.current() == "en"
