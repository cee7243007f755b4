"""Routes of searches, facets and statistics over tasks."""

from collections.abc import Callable
from functools import partial
from typing import Any

from bson import ObjectId
from flask import Response

from taskmanager.core.storage.orders import Row
from taskmanager.features.insights import facets, search, statistics
from taskmanager.features.insights.schemas import (
    FacetsOut,
    InsightQuery,
    SearchOut,
    SearchQuery,
    StatisticsOut,
    StatisticsQuery,
)
from taskmanager.features.tasks.filtering.budgets import expensive
from taskmanager.features.tasks.schemas import LISTED_TASK, TASK
from taskmanager.web import answers
from taskmanager.web.authentication.actors import current_actor
from taskmanager.web.blueprint import Blueprint

blp = Blueprint("insights", __name__, scope="tasks", description="Search, facets and statistics")


@blp.route("/search", problems=(404,), replicas="search")
@blp.arguments(SearchQuery, location="query")
@blp.response(200, SearchOut)
@expensive
def search_tasks(query: dict[str, Any]) -> Response:
    """Search for tasks

    Tasks whose key begins with `q` come first, then tasks whose title has words that begin with each word of `q`, then
    tasks that have one of its words in title or description, the best first. Tasks of archived projects are left out
    unless `project_id` is their project.
    """
    hits = search.search(
        query["q"],
        query["limit"],
        actor=current_actor(),
        project_id=query.get("project_id"),
        fields=TASK.stored_of_list(),
    )
    return answers.derived({"items": [hit | {"task": LISTED_TASK(hit["task"])} for hit in hits]})


@blp.route("/tasks/facets", replicas="statistics")
@blp.arguments(InsightQuery, location="query")
@blp.response(200, FacetsOut)
def get_task_facets(query: dict[str, Any]) -> Response:
    """Count tasks by status, priority, assignee, label and project

    Over all tasks that you may see and that match the filter. At most the 100 most frequent values of each facet; null
    counts the tasks without a value.
    """
    return _figures(facets.count_values, query)


@blp.route("/projects/<objectid:project_id>/facets", replicas="statistics")
@blp.arguments(InsightQuery, location="query")
@blp.response(200, FacetsOut)
def get_project_facets(query: dict[str, Any], project_id: ObjectId) -> Response:
    """Count the tasks of a project by status, priority, assignee and label

    Numbers of tasks by status, priority, label and assignee, of those that match `filter`.
    """
    return _figures(facets.count_values, query, project_id)


@blp.route("/tasks/stats", replicas="statistics")
@blp.arguments(StatisticsQuery, location="query")
@blp.response(200, StatisticsOut)
def get_task_statistics(query: dict[str, Any]) -> Response:
    """Get statistics of all tasks that you may see

    By status, overdue, created and completed with cycle time per week, workload per assignee, burn-down per day.
    """
    return _figures(statistics.compute, query)


@blp.route("/projects/<objectid:project_id>/stats", replicas="statistics")
@blp.arguments(StatisticsQuery, location="query")
@blp.response(200, StatisticsOut)
def get_project_statistics(query: dict[str, Any], project_id: ObjectId) -> Response:
    """Get statistics of the tasks of a project

    By status, overdue, created and completed with cycle time per week, workload per assignee, burn-down per day.
    """
    return _figures(statistics.compute, query, project_id)


def _figures(compute: Callable[..., Row], query: dict[str, Any], project_id: ObjectId | None = None) -> Response:
    """Return figures. Those of one project without a filter are read from its counts: they are not expensive."""
    period = {name: query[name] for name in ("weeks", "days") if name in query}
    condition = query.get("filter")
    work = partial(compute, actor=current_actor(), project_id=project_id, condition=condition, **period)
    return answers.derived(work() if project_id and condition is None else _expensive(work))


@expensive
def _expensive(work: Callable[[], Row]) -> Row:
    """Do work that counts as an expensive request."""
    return work()
