"""The schemas of searches, facets and statistics in requests and responses."""

from marshmallow import fields, validate

from taskmanager.features.insights.facets import NAMES
from taskmanager.features.tasks.filtering.fields import FIELDS
from taskmanager.features.tasks.schemas import TaskOut
from taskmanager.web.pagination import FilterParameter, IntegerParameter
from taskmanager.web.schemas import Id, Line, Schema


class SearchQuery(Schema):
    """Query parameters of a search."""

    q = Line(most=200, required=True, metadata={"description": 'A key, words, "a phrase", -without', "example": "rent"})
    limit = IntegerParameter(
        load_default=20,
        validate=validate.Range(1, 50),
        metadata={"description": "The greatest number of hits", "example": 20},
    )
    project_id = Id(metadata={"description": "Search in this project only"})


class Highlights(Schema):
    """Safe HTML with `<mark>` around the matches."""

    title = fields.String(required=True, metadata={"example": "Pay <mark>rent</mark>"})
    description = fields.String(
        required=True, allow_none=True, metadata={"description": "The part around the first match"}
    )


class Hit(Schema):
    """A task that was found, and the kind of the match."""

    task = fields.Nested(TaskOut, required=True)
    matched = fields.String(required=True, metadata={"enum": ["key", "title", "text"]})
    highlights = fields.Nested(Highlights, required=True)


class SearchOut(Schema):
    """The hits, the best first."""

    items = fields.List(fields.Nested(Hit), required=True)


class InsightQuery(Schema):
    """Query parameters of facets."""

    is_stable = True  # a text always has the same values: see `StrictParser`

    filter = FilterParameter(FIELDS)


class StatisticsQuery(InsightQuery):
    """Query parameters of statistics."""

    weeks = IntegerParameter(
        load_default=12,
        validate=validate.Range(1, 52),
        metadata={"description": "Number of weeks, with the current one", "example": 12},
    )
    days = IntegerParameter(
        load_default=30,
        validate=validate.Range(1, 365),
        metadata={"description": "Number of days, with today", "example": 30},
    )


class FacetValue(Schema):
    """A value, and the number of tasks that have it."""

    value = fields.String(required=True, allow_none=True, metadata={"example": "open"})
    count = fields.Integer(required=True)


class CountRelation(fields.String):
    """Whether the numbers are exact."""

    def __init__(self) -> None:
        description = "`gte` when more than 10,000 tasks match the filter: then so many of them are counted"
        super().__init__(required=True, metadata={"enum": ["eq", "gte"], "description": description, "example": "eq"})


FacetsOut = Schema.from_dict(
    {"relation": CountRelation(), **{name: fields.List(fields.Nested(FacetValue), required=True) for name in NAMES}},
    name="Facets",
)


class StatusCount(Schema):
    """The number of tasks with a status."""

    status = fields.String(required=True, metadata={"example": "open"})
    status_group = fields.String(required=True, metadata={"example": "backlog"})
    count = fields.Integer(required=True)


class Week(Schema):
    """The throughput of a week. Cycle time: from first becoming active, or from creation, to completion."""

    week = fields.String(required=True, metadata={"description": "Its Monday", "example": "2026-11-23"})
    created = fields.Integer(required=True)
    completed = fields.Integer(required=True)
    cycle_hours_median = fields.Float(
        required=True, allow_none=True, metadata={"description": "Of times with three significant digits"}
    )
    cycle_hours_mean = fields.Float(required=True, allow_none=True)


class Workload(Schema):
    """The open tasks of a user; `user_id` null counts unassigned tasks."""

    user_id = Id(required=True, allow_none=True)
    open = fields.Integer(required=True)
    overdue = fields.Integer(required=True)
    estimate_minutes = fields.Integer(required=True)


class Day(Schema):
    """The number of open tasks at the end of a day."""

    day = fields.String(required=True, metadata={"example": "2026-11-23"})
    open = fields.Integer(required=True)
    created = fields.Integer(required=True)
    closed = fields.Integer(required=True)


class StatisticsOut(Schema):
    """Statistics of tasks."""

    relation = CountRelation()
    total = fields.Integer(required=True)
    by_status = fields.List(fields.Nested(StatusCount), required=True)
    overdue = fields.Integer(required=True)
    weeks = fields.List(fields.Nested(Week), required=True)
    workload = fields.List(fields.Nested(Workload), required=True)
    burn_down = fields.List(fields.Nested(Day), required=True)
