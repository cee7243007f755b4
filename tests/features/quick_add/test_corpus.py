"""Quick add reads a phrase as people mean it, or leaves it in the title: a corpus, and what holds for every line."""

import re
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from taskmanager.core.zones import zone
from taskmanager.features.quick_add.grammar import parse

NOW = datetime(2026, 11, 24, 12, tzinfo=zone("Europe/Berlin"))  # a Tuesday
LINES = [line for line in Path(__file__).with_name("quick_corpus.txt").read_text().splitlines() if line[0] != "#"]
CORPUS = [[cell.strip() for cell in line.split(" | ")] for line in LINES]
# The words of the grammar: no other is ever taken out of a title.
GRAMMAR = re.compile(
    r"(?:today|tonight|tomorrow|the|day|after|on|by|next|this|in|an?|half|at|from|now|end|of|last|until|till?|ending|ends|"
    r"starting|starts|beginning|for|every!?|each|other|to|through|thru|and|&|-|daily|weekly|fortnightly|monthly|quarterly|"
    r"yearly|annually|fortnight|quarter|business|working|workdays?|weekdays?|days?|weeks?|months?|years?|hours?|hrs?|h|"
    r"minutes?|mins?|m|times|morning|noon|midnight|afternoon|evening|night|am|pm|first|second|third|fourth|fifth|one|two|"
    r"three|four|five|six|seven|eight|nine|ten|eleven|twelve|"
    r"(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*(?:-(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*)?|"
    r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*|~?[0-9][0-9:.]*(?:-[0-9:]+)*[a-z]*(?:-[0-9:]+[a-z]*)?)"
)


@pytest.mark.parametrize("cells", CORPUS, ids=[cells[0] for cells in CORPUS])
def test_a_phrase_is_read_as_people_mean_it_or_left(cells):
    text = cells[0]
    wanted = cells[1:] if cells[1] != "=" else [text, "-", "-", "-"]
    said = parse(text, NOW)
    assert [
        said.title,
        said.due(NOW) or "-",
        said.recurrence or "-",
        str(said.estimate_minutes or "-"),
    ] == wanted


def test_the_corpus_is_large_and_has_no_phrase_twice():
    texts = [cells[0] for cells in CORPUS]
    assert len(texts) == len(set(texts)) >= 300


_WORDS = sorted({word for cells in CORPUS for word in cells[0].split()})


@given(st.lists(st.sampled_from(_WORDS), max_size=12))
def test_only_words_of_the_grammar_are_taken_and_none_is_made_up(words):
    said = parse(" ".join(words), NOW)
    left = [word.strip(",") for word in said.title.split()]
    taken = iter(word.strip(",") for word in words)
    for word in left:  # in their order
        for other in taken:
            if other == word:
                break
            assert GRAMMAR.fullmatch(other.lower()), (other, words, said.title)
        else:
            raise AssertionError((word, words, said.title))
    assert all(GRAMMAR.fullmatch(other.lower()) for other in taken), (words, said.title)
    if said.title.split() == " ".join(words).split():
        assert (said.due(NOW), said.recurrence) == (None, None)


def test_hours_are_counted_on_the_clock_of_the_world():
    night = datetime(2027, 3, 28, 1, 30, tzinfo=zone("Europe/Berlin"))  # the clock jumps from two to three
    assert parse("Call in 1 hour", night).due(night) == "2027-03-28T03:30:00+02:00"
    autumn = datetime(2026, 10, 25, 2, 30, tzinfo=zone("Europe/Berlin"))
    assert parse("Call in 3 hours", autumn).due(autumn) == "2026-10-25T04:30:00+01:00"
    assert parse("Call in 1 hour", autumn).due(autumn) == "2026-10-25T02:30:00+01:00"
