"""The words of the Makefile that the suite does not run itself: what they name is there, and can be imported."""

import re
from importlib import import_module
from pathlib import Path

TEXT = Path("Makefile").read_text(encoding="utf-8")


def test_every_program_and_test_that_a_word_runs_can_be_imported():
    named = re.findall(r"-m (tests[.\w]*)", TEXT) + re.findall(r"\b(tests/[\w/]+)\.py", TEXT)
    assert len(named) > 20
    for name in sorted(set(named)):
        import_module(name.replace("/", "."))
