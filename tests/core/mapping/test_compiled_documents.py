"""Compiled documents do what MongoEngine's do, for any value: made, read, validated, stored and changed."""

from datetime import UTC, date, timedelta

import pytest
from bson import Int64, ObjectId
from hypothesis import given, strategies as st
from mongoengine import (
    BinaryField,
    BooleanField,
    DateTimeField,
    DictField,
    Document,
    FloatField,
    IntField,
    ListField,
    ObjectIdField,
    StringField,
)
from mongoengine.errors import FieldDoesNotExist, ValidationError
from mongoengine.queryset import transform

from taskmanager.core.clock import now
from taskmanager.core.mapping.compiled_documents import CompiledDocument
from taskmanager.features.tasks.models import Task

META = {"collection": "sheets", "strict": False, "auto_create_index": False}


def fields():
    return {
        "name": StringField(required=True, max_length=5),
        "kind": StringField(choices=("a", "b"), default="a"),
        "code": StringField(regex="[0-9]+", min_length=2),
        "number": IntField(default=3),
        "bounded": IntField(min_value=0, max_value=9),
        "moment": DateTimeField(),
        "owner": ObjectIdField(),
        "flag": BooleanField(),
        "data": BinaryField(),
        "ids": ListField(ObjectIdField(), max_length=2),
        "texts": ListField(StringField(), db_field="t"),
        "rows": ListField(DictField()),
        "anything": ListField(),
        "needed": ListField(IntField(), required=True),
        "values": DictField(),
    }


Compiled = type("CompiledSheet", (CompiledDocument,), {"meta": META, **fields()})
Plain = type("PlainSheet", (Document,), {"meta": META, **fields()})
for field in Plain._fields.values():
    field.set_auto_dereferencing(False)  # no field is a reference, and MongoEngine would look for them in any value

ids, moments = st.builds(ObjectId, st.binary(min_size=12, max_size=12)), st.datetimes(timezones=st.just(UTC))
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-5, 2**40)
    | st.floats(allow_nan=False)
    | st.text(max_size=7)
    | st.sampled_from(["a", "b", "12", "000000000000000000000001", Int64(7), b"\x01", date(2026, 1, 2)])
    | ids
    | moments
)
keys = st.text(max_size=3) | st.sampled_from(["$a", "a.b"])
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=2), max_leaves=6
)
usual = {
    "name": st.text(min_size=1, max_size=5),
    "kind": st.sampled_from(["a", "b"]),
    "number": st.integers(0, 9),
    "moment": moments,
    "owner": ids,
    "flag": st.booleans(),
    "ids": st.lists(ids, max_size=2),
    "texts": st.lists(st.text(max_size=3), max_size=3),
    "rows": st.lists(st.dictionaries(st.sampled_from("xy"), scalars, max_size=2), max_size=2),
    "needed": st.lists(st.integers(0, 9), min_size=1, max_size=2),
    "values": st.dictionaries(st.sampled_from("xy"), scalars, max_size=2),
}
any_values = dict.fromkeys(fields(), values) | {"ids": values.filter(lambda value: "None" not in repr(value))}
# MongoEngine makes a new id of None
given_values = st.fixed_dictionaries({}, optional=any_values) | st.fixed_dictionaries({}, optional=usual)


def outcome(work, *arguments):
    """Return the result, with types, or the error's class and fields."""
    try:
        return repr(work(*arguments))
    except ValidationError as error:
        return sorted(error.errors or {})
    except Exception as error:
        return type(error).__name__


def parts_of(document):
    return {name: getattr(document, name) for name in sorted(fields())}


@given(given_values)
def test_made_validated_and_stored_as_by_mongoengine(data):
    found = outcome(lambda: parts_of(Compiled(**data)))
    assert found == outcome(lambda: parts_of(Plain(**data)))
    if not found.startswith("{"):
        return
    ours, theirs = Compiled(**data), Plain(**data)
    assert outcome(ours.validate) == outcome(theirs.validate)
    assert outcome(lambda: ours.to_mongo().to_dict()) == outcome(lambda: theirs.to_mongo().to_dict())
    assert outcome(ours.to_row) == outcome(lambda: theirs.to_mongo().to_dict())
    parts_of(ours), parts_of(theirs)  # lists become observed lists when they are read
    assert outcome(ours.to_row) == outcome(lambda: theirs.to_mongo().to_dict())


@given(given_values, st.booleans())
def test_set_as_by_mongoengine(data, stored):
    read = {"number": 2, "t": ["a"]}
    documents = [kind._from_son(read, _auto_dereference=False) if stored else kind() for kind in (Compiled, Plain)]
    for name, value in [*data.items(), ("id", ObjectId(b"twelve bytes"))]:
        for document in documents:
            setattr(document, name, value)
    ours, theirs = (
        [outcome(lambda: parts_of(document)), document._created, getattr(document, "_changed_fields", None)]  # noqa: B023
        for document in documents
    )
    assert ours == theirs
    assert outcome(documents[0].to_row) == outcome(lambda: documents[1].to_mongo().to_dict())


@given(given_values)
def test_read_as_by_mongoengine(data):
    stored = {"t" if name == "texts" else name: value for name, value in data.items()} | {"_id": ObjectId(), "x": 1}
    theirs = outcome(lambda: parts_of(Plain._from_son(stored, _auto_dereference=False)))
    assert outcome(lambda: parts_of(Compiled._from_son(stored))) == theirs
    read = Compiled._from_son(stored)
    assert (read.id, read._created, read._data["x"]) == (stored["_id"], False, 1)


@given(given_values)
def test_changed_as_by_mongoengine(data):
    arguments = {f"unset__{name}" if value is None else f"set__{name}": value for name, value in data.items()}
    assert outcome(lambda: sorted_parts(Compiled.update_of(data))) == outcome(
        lambda: sorted_parts(transform.update(Plain, **arguments) if arguments else {})
    )


def sorted_parts(update):
    return sorted((operator, sorted(values.items())) for operator, values in update.items())


def test_a_document_shares_nothing_that_can_change_with_what_it_was_made_of():
    data = {"name": "n", "ids": [ObjectId()], "rows": [{"a": 1}], "values": {"a": 1}}
    made = Compiled(**data)
    made.ids.append(ObjectId())
    made.values["b"] = 2
    made.rows[0]["b"] = 2
    assert data == {"name": "n", "ids": data["ids"][:1], "rows": [{"a": 1}], "values": {"a": 1}}
    assert (len(made.to_row()["ids"]), made.to_row()["values"], Compiled().values) == (2, {"a": 1, "b": 2}, {})


def test_an_unknown_field_is_refused_and_other_kinds_of_fields_are_mongoengines():
    with pytest.raises(FieldDoesNotExist):
        Compiled(unknown=1)
    other = type("OtherSheet", (CompiledDocument,), {"meta": META, "part": FloatField(), "name": StringField()})
    assert (other(part=1).part, other(part=1, name="x").to_row()) == (1.0, {"name": "x", "part": 1.0})
    assert other.update_of({"part": 2, "name": None}) == {"$set": {"part": 2}, "$unset": {"name": 1}}
    with pytest.raises(ValidationError):
        other(part="none").validate()


def test_a_task_is_read_as_it_was_stored():
    task = Task(project_id=ObjectId(), key="A-1", title="One", due_at=now(), custom_fields={"a": [1]})
    assert Task._from_son(task.to_row()).to_row() == task.to_row()
    assert abs(now() - task.created_at) < timedelta(minutes=1)
