"""Schemas load what marshmallow loads, although they visit the fields that are given only."""

import gc

import marshmallow as ma
import pytest
from hypothesis import given, strategies as st
from marshmallow import fields

from taskmanager.features.tasks.schemas import CompletionQuery, TaskIn, TaskPatch
from taskmanager.web.blueprint import Blueprint
from taskmanager.web.schemas import Line, Schema


class Part(Schema):
    name = Line(most=3, required=True)
    number = fields.Integer(load_default=7)


class Whole(Schema):
    part = fields.Nested(Part, allow_none=True)
    parts = fields.List(fields.Nested(Part))
    other = fields.Integer(data_key="renamed", attribute="inner.other")


class WithDefault(Whole):
    made = fields.List(fields.String(), load_default=list)
    shown = fields.Integer(dump_only=True)


ID = "000000000000000000000001"
VALUES = {
    "title": st.sampled_from(["A title ", " ", "\x00", ""]),
    "description": st.none() | st.sampled_from(["Text", "\x01"]),
    "priority": st.sampled_from(["high", "none", "highest"]),
    "assignee_ids": st.lists(st.sampled_from([ID, "000000000000000000000002", "no id"]), max_size=3),
    "custom_fields": st.none() | st.dictionaries(st.text(max_size=2), st.integers(), max_size=2),
    "start_at": st.sampled_from(["2026-12-01T09:00:00Z", "2026-12-01"]),
    "estimate_minutes": st.integers(-1, 3),
    "due_timezone": st.sampled_from(["Europe/Berlin", "Nowhere"]),
    "force": st.sampled_from(["true", "maybe"]),
    "part": st.none() | st.fixed_dictionaries({}, optional={"name": st.text(max_size=4), "x": st.just(1)}),
    "parts": st.lists(st.fixed_dictionaries({"name": st.text(max_size=4)}), max_size=2),
    "renamed": st.integers() | st.just("no number"),
    "other": st.integers(),
    "made": st.lists(st.text(max_size=1), max_size=1),
    "shown": st.integers(),
}
ANY = st.none() | st.booleans() | st.integers() | st.text(max_size=3) | st.lists(st.integers(), max_size=1)
KINDS = (TaskIn, TaskPatch, CompletionQuery, Whole, WithDefault)


def data_of(kind):
    """Mostly data of the schema, valid or not, else of any."""
    names = {field.data_key or name for name, field in kind().fields.items()}
    usual = {name: values for name, values in VALUES.items() if name in names}
    any_values = {name: values | ANY for name, values in VALUES.items()}
    return st.fixed_dictionaries({}, optional=usual) | st.fixed_dictionaries({}, optional=any_values) | ANY


def loaded(schema, data):
    try:
        return repr(schema.load(data))
    except ma.ValidationError as error:
        return error.normalized_messages(), repr(error.valid_data)


@pytest.mark.parametrize("kind", KINDS)
@given(st.data())
def test_values_and_errors_are_those_of_marshmallow(kind, data):
    given_data = data.draw(data_of(kind))
    slow = type(kind.__name__, (kind,), {"_deserialize": ma.Schema._deserialize})()
    assert loaded(kind(), given_data) == loaded(slow, given_data)


def test_routes_share_the_one_instance_of_a_schema():
    """Copies for routes and for their documentation were twice as many as the schemas, 3 MB of a process."""

    class Shown(Schema):
        name = Line(most=3)

    blueprint = Blueprint("given", __name__)

    def take(body):
        """Take."""

    def give():
        """Give."""

    blueprint.route("/shown", methods=["POST"])(blueprint.arguments(Shown)(blueprint.response(200)(take)))
    blueprint.route("/shown")(blueprint.response(200, Shown)(give))
    assert sum(type(one) is Shown for one in gc.get_objects()) == 1
