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


@blp.route("/search", problems=(404,))
@blp.arguments(SearchQuery, location="query")
@blp.response(200, SearchOut)
@expensive
def search_tasks(query: dict[str, Any]) -> Response:
    """Search for tasks

    Those whose key begins with `q` come first, then those whose title has words that begin with each word of it, then
    those that have one of its words in title or description, best first. Tasks of archived projects are left out
    unless `project_id` names theirs.
    """
    hits = search.search(
        query["q"],
        query["limit"],
        actor=current_actor(),
        project_id=query.get("project_id"),
        fields=TASK.stored_of_list(),
    )
    return answers.derived({"items": [hit | {"task": LISTED_TASK(hit["task"])} for hit in hits]})


@blp.route("/tasks/facets")
@blp.arguments(InsightQuery, location="query")
@blp.response(200, FacetsOut)
@expensive
def get_facets(query: dict[str, Any]) -> Response:
    """Count tasks by status, priority, assignee, label and project

    For the filter, over all that you may see. At most the 100 most frequent values of each; null is for tasks without.
    """
    return answers.derived(facets.count(actor=current_actor(), condition=query.get("filter")))


@blp.route("/projects/<objectid:project_id>/facets")
@blp.arguments(InsightQuery, location="query")
@blp.response(200, FacetsOut)
@expensive
def get_project_facets(query: dict[str, Any], project_id: ObjectId) -> Response:
    """Count the tasks of a project by status, priority, assignee and label"""
    found = facets.count(actor=current_actor(), project_id=project_id, condition=query.get("filter"))
    return answers.derived(found)


@blp.route("/tasks/stats")
@blp.arguments(StatisticsQuery, location="query")
@blp.response(200, StatisticsOut)
@expensive
def get_statistics(query: dict[str, Any]) -> Response:
    """Get figures over all tasks that you may see

    By status, overdue, created and completed with cycle time per week, workload per assignee, burn-down per day.
    """
    return _figures(query)


@blp.route("/projects/<objectid:project_id>/stats")
@blp.arguments(StatisticsQuery, location="query")
@blp.response(200, StatisticsOut)
@expensive
def get_project_statistics(query: dict[str, Any], project_id: ObjectId) -> Response:
    """Get figures over the tasks of a project

    By status, overdue, created and completed with cycle time per week, workload per assignee, burn-down per day.
    """
    return _figures(query, project_id=project_id)


def _figures(query: dict[str, Any], **where: Any) -> Response:
    how = {"weeks": query["weeks"], "days": query["days"], "condition": query.get("filter")}
    return answers.derived(statistics.of(actor=current_actor(), **how, **where))
