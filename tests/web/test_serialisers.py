"""Compiled serialisers answer what the schema itself would, and refuse what they do not know."""

from datetime import UTC, datetime

import marshmallow as ma
import pytest
from bson import ObjectId
from hypothesis import given, strategies as st
from marshmallow import fields

from taskmanager.core.storage.querysets import MAX_LISTED_CHARACTERS, shortened
from taskmanager.features.projects.schemas import MEMBER, PROJECT
from taskmanager.features.tasks.models import PRIORITIES
from taskmanager.features.tasks.schemas import TASK
from taskmanager.features.users.schemas import USER
from taskmanager.web import schemas
from taskmanager.web.serialisers import Serialiser

_IDS = st.binary(min_size=12, max_size=12).map(ObjectId)
_MOMENTS = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30)).map(
    lambda moment: moment.replace(microsecond=moment.microsecond // 1000 * 1000, tzinfo=UTC)
)
_PROFILES = st.fixed_dictionaries({"name": st.text(), "email": st.text()})
_VALUES = {
    schemas.Id: _IDS,
    schemas.Instant: _MOMENTS,
    schemas.RankedChoice: st.integers(0, len(PRIORITIES) - 1),
    schemas.UniqueIds: st.lists(_IDS, max_size=3),
    fields.Integer: st.integers(-(2**62), 2**62),
    fields.Nested: _PROFILES,
    schemas.Json: st.dictionaries(st.text(), st.integers() | st.text()),
}


def rows_of(serialiser):
    """Documents of all kinds that the schema can answer; nothing where nothing may be, and what it must hide."""
    stored = {
        field.attribute or name: _VALUES.get(type(field), st.text())
        if not field.allow_none
        else st.none() | _VALUES.get(type(field), st.text())
        for name, field in serialiser.schema().fields.items()
    }
    return st.fixed_dictionaries(stored | {"password_hash": st.just("secret"), "deleted_at": st.none()})


@pytest.mark.parametrize("serialiser", [TASK, PROJECT, MEMBER, USER], ids=lambda s: s.schema.__name__)
@given(data=st.data())
def test_equals_the_dump_of_the_schema(serialiser, data):
    row = data.draw(rows_of(serialiser))
    dumped, expected = serialiser.dump(row), serialiser.schema().dump(row)
    assert (dumped, list(dumped)) == (expected, list(expected))


@pytest.mark.parametrize("serialiser", [TASK, PROJECT, MEMBER, USER], ids=lambda s: s.schema.__name__)
@given(data=st.data())
def test_a_row_of_a_page_whose_moments_have_no_zone_is_the_same(serialiser, data):
    row = data.draw(rows_of(serialiser))
    without = {
        name: value.replace(tzinfo=None) if isinstance(value, datetime) else value for name, value in row.items()
    }
    assert serialiser.dump(without) == serialiser.schema().dump(row)


@given(data=st.data(), length=st.integers(0, 2 * MAX_LISTED_CHARACTERS))
def test_an_item_of_a_list_is_the_same_with_a_long_text_shortened(data, length):
    row = data.draw(rows_of(TASK)) | {"description": "x" * length}
    expected = TASK.schema().dump(row)
    assert TASK.list_item()(row) == expected | {"description": shortened(expected["description"])}
    assert TASK.list_item(("id", "description"))(row) == {"id": expected["id"], "description": "x" * length}


@pytest.mark.parametrize("serialiser", [TASK, PROJECT, MEMBER, USER], ids=lambda s: s.schema.__name__)
@given(data=st.data())
def test_a_subset_equals_the_dump_of_the_subset(serialiser, data):
    row = data.draw(rows_of(serialiser))
    names = tuple(data.draw(st.lists(st.sampled_from(serialiser.names), min_size=1)))
    dumped, expected = serialiser.only(names)(row), serialiser.schema(only=names).dump(row)
    assert (dumped, set(dumped)) == (expected, set(names))


def test_what_is_stored_is_asked_for_by_its_stored_name():
    assert set(TASK.stored(("id", "title"))) == {"revision", "_id", "title"}


def test_a_field_that_is_only_loaded_is_never_answered():
    class Secret(schemas.Schema):
        name = fields.String()
        password = fields.String(load_only=True)

    assert Serialiser(Secret).dump({"name": "a", "password": "b"}) == {"name": "a"}


class _Odd(fields.String):
    """A String that a subclass may dump in another way."""


@pytest.mark.parametrize(
    "field",
    [
        fields.Float(),
        fields.Raw(),
        fields.Dict(),
        fields.DateTime(),
        fields.Time(),
        fields.Function(lambda row: 1),
        fields.List(fields.String()),
        fields.Nested({"name": fields.String()}, many=True),
        _Odd(),
    ],
    ids=lambda field: type(field).__name__,
)
def test_a_field_it_does_not_know_is_refused(field):
    with pytest.raises(TypeError, match="no proven serialisation"):
        Serialiser(schemas.Schema.from_dict({"field": field}))


@pytest.mark.parametrize("hook", [ma.pre_dump, ma.post_dump])
def test_a_schema_with_hooks_is_refused(hook):
    class Hooked(schemas.Schema):
        name = fields.String()

        @hook
        def change(self, data, **_):
            return data

    with pytest.raises(TypeError, match="hooks"):
        Serialiser(Hooked)


@pytest.mark.parametrize("options", [{"data_key": "other"}, {"dump_default": "x"}, {"attribute": "a.b"}])
def test_an_option_it_does_not_carry_out_is_refused(options):
    with pytest.raises(TypeError):
        Serialiser(schemas.Schema.from_dict({"field": fields.String(**options)}))


def test_what_is_not_stored_is_null_or_empty_and_never_shared():
    serialiser = Serialiser(schemas.Schema.from_dict({"name": fields.String(), "ids": schemas.UniqueIds(most=1)}))
    first, second = serialiser.dump({}), serialiser.dump({"name": None, "ids": None})
    assert first == second == {"name": None, "ids": []}
    assert first["ids"] is not second["ids"]
