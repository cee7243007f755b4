"""Rows of pages that are read as bytes are those that the driver itself decodes."""

from datetime import UTC, datetime
from uuid import uuid4

import pytest
from bson import Binary, Decimal128, ObjectId, Regex
from hypothesis import given, settings, strategies as st
from pymongo.errors import OperationFailure

from taskmanager.core import stored_rows
from taskmanager.core.servers.exchanges import WITHOUT_ZONES
from taskmanager.core.storage.database import database
from taskmanager.core.stored_rows import find, fitting, stored_within

_NAMES = st.text(st.characters(exclude_characters="\0.$", exclude_categories=("Cs",)), max_size=5)
_SCALARS = (
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.text(max_size=5)
) | st.sampled_from(
    [ObjectId(), datetime(2026, 1, 2, tzinfo=UTC), uuid4(), Binary(b"\0\1"), Decimal128("1.5"), Regex("a")]
)
_VALUES = st.recursive(_SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_NAMES, inner, max_size=3))


@pytest.fixture
def kept(app):
    collection = database()["stored_rows"]
    yield collection
    collection.drop()


def read(collection, query=None, limit=200, size=4_000_000):
    return stored_within(find(collection, query or {}, sort=[("_id", 1)], limit=limit + 1), limit, size)


def by_the_driver(collection):
    return collection.with_options(codec_options=WITHOUT_ZONES).find({}, sort=[("_id", 1)]).to_list()


@settings(max_examples=40)
@given(rows=st.lists(st.dictionaries(_NAMES.filter(lambda name: name != "_id"), _VALUES, max_size=4), max_size=12))
def test_rows_are_those_of_the_driver(kept, rows):
    kept.delete_many({})
    if rows:
        kept.insert_many([{"_id": number} | row for number, row in enumerate(rows)])
    found, more = read(kept)
    assert (list(found), more) == (by_the_driver(kept), False)


def test_a_page_ends_at_its_number_of_rows_and_at_its_size(kept):
    kept.insert_many([{"_id": number, "text": "x" * 100} for number in range(120)])
    found, more = read(kept, limit=110)
    assert ([row["_id"] for row in found], more) == (list(range(110)), True)
    small, more = read(kept, limit=110, size=10 * len(found.stored[0]))
    assert (len(small), more, small[9]["_id"], small[-1]["_id"], small[2:4][0]["_id"]) == (10, True, 9, 9, 2)
    one, more = read(kept, limit=110, size=1)
    assert (len(one), more) == (1, True)
    assert [fitting(sizes, 10) for sizes in ([], [4, 6, 1], [11, 1])] == [1, 2, 1]


def test_more_rows_than_a_reply_can_have_are_on_further_pages(kept, commands):
    kept.insert_many([{"_id": number, "text": "x" * 6_000_000} for number in range(4)])
    with commands.counted() as sent:
        found, more = read(kept)
    assert ([row["_id"] for row in found], more) == ([0], True)
    assert sent == ["find"]


def test_a_reply_in_another_form_has_the_same_rows(kept, monkeypatch):
    kept.insert_many([{"_id": number, "at": datetime(2026, 1, 2, tzinfo=UTC), "ids": [uuid4()]} for number in range(5)])
    monkeypatch.setattr(stored_rows, "_CURSOR", b"\x03another")
    assert list(read(kept)[0]) == by_the_driver(kept)


def test_an_error_of_the_server_is_raised(kept):
    kept.insert_one({})
    with pytest.raises(OperationFailure, match="unknown operator"):
        read(kept, {"a": {"$nothing": 1}})


def test_rows_that_were_read_can_be_completed(kept):
    kept.insert_many([{"_id": 1}, {"_id": 2}])
    found, _ = read(kept)
    assert not found.is_read
    for row in found:
        row["name"] = f"number {row['_id']}"
    assert found.is_read and [row["name"] for row in found] == [found[0]["name"], found[1]["name"]] == [
        "number 1",
        "number 2",
    ]
