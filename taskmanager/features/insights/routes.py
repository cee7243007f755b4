"""Routes of searches, facets and statistics over tasks."""

from typing import Any

from bson import ObjectId
from flask import Response

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
@expensive
def get_task_facets(query: dict[str, Any]) -> Response:
    """Count tasks by status, priority, assignee, label and project

    Over all tasks that you may see and that match the filter. At most the 100 most frequent values of each facet; null
    counts the tasks without a value.
    """
    return answers.derived(facets.count_values(actor=current_actor(), condition=query.get("filter")))


@blp.route("/projects/<objectid:project_id>/facets", replicas="statistics")
@blp.arguments(InsightQuery, location="query")
@blp.response(200, FacetsOut)
@expensive
def get_project_facets(query: dict[str, Any], project_id: ObjectId) -> Response:
    """Count the tasks of a project by status, priority, assignee and label

    Numbers of tasks by status, priority, label and assignee, of those that match `filter`.
    """
    found = facets.count_values(actor=current_actor(), project_id=project_id, condition=query.get("filter"))
    return answers.derived(found)


@blp.route("/tasks/stats", replicas="statistics")
@blp.arguments(StatisticsQuery, location="query")
@blp.response(200, StatisticsOut)
@expensive
def get_task_statistics(query: dict[str, Any]) -> Response:
    """Get statistics of all tasks that you may see

    By status, overdue, created and completed with cycle time per week, workload per assignee, burn-down per day.
    """
    return _statistics(query)


@blp.route("/projects/<objectid:project_id>/stats", replicas="statistics")
@blp.arguments(StatisticsQuery, location="query")
@blp.response(200, StatisticsOut)
@expensive
def get_project_statistics(query: dict[str, Any], project_id: ObjectId) -> Response:
    """Get statistics of the tasks of a project

    By status, overdue, created and completed with cycle time per week, workload per assignee, burn-down per day.
    """
    return _statistics(query, project_id)


def _statistics(query: dict[str, Any], project_id: ObjectId | None = None) -> Response:
    period = {"weeks": query["weeks"], "days": query["days"]}
    found = statistics.compute(actor=current_actor(), project_id=project_id, condition=query.get("filter"), **period)
    return answers.derived(found)
