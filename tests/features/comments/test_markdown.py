"""What the largest texts of comments become: as long as it may be, from as many tokens as the text has characters."""

import os

import pytest

from taskmanager.features.comments.markdown import _MARKDOWN, MAX_HTML_CHARACTERS, to_html
from tests import forked

LONGEST = 20_000
HOSTILE = {
    "a table of empty rows": "|" + "a|" * 200 + "\n|" + "-|" * 200 + "\n" + "|\n" * LONGEST,
    "a table of short rows": "|a" * 100 + "|\n" + "|-" * 100 + "|\n" + "x\n" * LONGEST,
    "a table of cells": "|" * 150 + "\n" + "|-" * 149 + "|\n" + ("|" * 150 + "\n") * 200,
    "brackets": "[" * LONGEST,
    "brackets and stars": "[*" * LONGEST,
    "one long link used often": "[a]: " + "x" * 5000 + "\n" + "[a]" * LONGEST,
    "one long title used often": "[a]: x '" + "y" * 5000 + "'\n" + "[a]" * LONGEST,
    "links": "[](b)" * LONGEST,
    "quotes": ">" * LONGEST,
    "ampersands": "&" * LONGEST,
    "items": "- [\n" * LONGEST,
    "backticks": "".join("`" * number + " " for number in range(1, 300)),
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_html_and_the_work_for_it_are_bounded(text):
    text = text[:LONGEST]
    tokens = _MARKDOWN.parse(text)
    assert len(tokens) + sum(len(token.children or ()) for token in tokens) < 4 * LONGEST
    assert len(to_html(text)) <= MAX_HTML_CHARACTERS


def test_what_would_become_too_long_is_shown_as_it_was_written():
    text = "[a]: " + "x" * 5000 + "\n" + "[a]" * 1000 + "<b>"
    assert to_html(text) == f"<pre>{text.replace('<b>', '&lt;b&gt;')}</pre>"


def test_tables_keep_their_rows():
    assert to_html("|a|b|\n|-|-|\n|1|\n").count("<td>") == 2


def test_the_first_texts_of_a_process_may_come_together():
    """The library compiles its rules at the first text; a thread that comes then finds none: no HTML, or a crash."""
    step = """from taskmanager.features.comments.markdown import _MARKDOWN as made
rulers = (made.core.ruler, made.block.ruler, made.inline.ruler, made.inline.ruler2)
print([ruler.__cache__ is not None for ruler in rulers])"""
    assert forked.run(["-c", step], environment=dict(os.environ), timeout=60).stdout == "[True, True, True, True]\n"
