"""The naive one: flask-smorest, MongoEngine documents and marshmallow schemas, as their tutorials show them."""

import json
import os
from datetime import UTC, datetime
from pathlib import Path

import mongoengine as me
from bson import ObjectId
from flask import Flask
from flask.views import MethodView
from flask_jwt_extended import JWTManager, get_jwt_identity, jwt_required
from flask_smorest import Api, Blueprint
from marshmallow import Schema, fields, validate

PRIORITIES = ("none", "low", "medium", "high", "urgent")
PIPELINES = json.loads(Path(__file__).with_name("pipelines.json").read_text())


class Project(me.Document):
    meta = {"collection": "projects", "strict": False, "auto_create_index": False}
    key = me.StringField()
    last_number = me.IntField()


class Membership(me.Document):
    meta = {"collection": "memberships", "strict": False, "auto_create_index": False}
    user_id = me.ObjectIdField()
    project_id = me.ObjectIdField()


class Task(me.Document):
    meta = {"collection": "tasks", "strict": False, "auto_create_index": False}
    project_id = me.ObjectIdField(required=True)
    key = me.StringField(required=True)
    title = me.StringField(required=True, max_length=500)
    description = me.StringField(max_length=50_000)
    status = me.StringField(default="open")
    status_group = me.StringField(default="backlog")
    priority = me.IntField(default=0)
    label_ids = me.ListField(me.ObjectIdField())
    assignee_ids = me.ListField(me.ObjectIdField())
    watcher_ids = me.ListField(me.ObjectIdField())
    reporter_id = me.ObjectIdField(required=True)
    parent_id = me.ObjectIdField()
    progress = me.DictField()
    start_at = me.DateTimeField()
    due = me.StringField()
    due_at = me.DateTimeField()
    estimate_minutes = me.IntField()
    due_timezone = me.StringField()
    recurrence = me.StringField()
    recurs_from = me.StringField()
    series_id = me.ObjectIdField()
    next_task_id = me.ObjectIdField()
    position = me.StringField()
    custom_fields = me.DictField()
    started_at = me.DateTimeField()
    completed_at = me.DateTimeField()
    revision = me.IntField(default=1)
    created_at = me.DateTimeField()
    updated_at = me.DateTimeField()
    deleted_at = me.DateTimeField()
    tags = me.ListField(me.StringField(), db_field="marks")


class Priority(fields.Field):
    def _serialize(self, value, attr, obj, **kwargs):
        return PRIORITIES[value]

    def _deserialize(self, value, attr, data, **kwargs):
        return PRIORITIES.index(value)


class TaskSchema(Schema):
    id = fields.String(dump_only=True)
    key = fields.String(dump_only=True)
    project_id = fields.String(dump_only=True)
    title = fields.String(required=True, validate=validate.Length(1, 500))
    description = fields.String(allow_none=True)
    status = fields.String()
    status_group = fields.String(dump_only=True)
    priority = Priority()
    label_ids = fields.List(fields.String())
    assignee_ids = fields.List(fields.String())
    watcher_ids = fields.List(fields.String(), dump_only=True)
    reporter_id = fields.String(dump_only=True)
    parent_id = fields.String(allow_none=True)
    progress = fields.Dict(dump_only=True)
    start_at = fields.AwareDateTime(default_timezone=UTC, allow_none=True)
    due = fields.String(allow_none=True)
    due_at = fields.AwareDateTime(default_timezone=UTC, dump_only=True)
    estimate_minutes = fields.Integer(allow_none=True)
    due_timezone = fields.String(allow_none=True)
    recurrence = fields.String(allow_none=True)
    recurs_from = fields.String(allow_none=True)
    series_id = fields.String(dump_only=True)
    next_task_id = fields.String(dump_only=True)
    position = fields.String(dump_only=True)
    custom_fields = fields.Dict()
    started_at = fields.AwareDateTime(default_timezone=UTC, dump_only=True)
    completed_at = fields.AwareDateTime(default_timezone=UTC, dump_only=True)
    revision = fields.Integer(dump_only=True)
    created_at = fields.AwareDateTime(default_timezone=UTC, dump_only=True)
    updated_at = fields.AwareDateTime(default_timezone=UTC, dump_only=True)
    deleted_at = fields.AwareDateTime(default_timezone=UTC, dump_only=True)


class PageSchema(Schema):
    items = fields.List(fields.Nested(TaskSchema))
    more = fields.Boolean()


class After(Schema):
    after_at = fields.Float()
    after_id = fields.String()


app = Flask(__name__)
app.config.update(
    API_TITLE="naive", API_VERSION="1", OPENAPI_VERSION="3.0.3", JWT_SECRET_KEY=os.environ["BENCH_SECRET"]
)
me.connect(host=os.environ["BENCH_MONGODB"], tz_aware=True, connect=False, readConcernLevel="majority")
JWTManager(app)
blp = Blueprint("tasks", __name__, url_prefix="/api/v1")


def page(found, order):
    rows = list(found.order_by(order, order[:-10] + "id" if order.startswith("-") else "id").limit(51))
    return {"items": rows[:50], "more": len(rows) > 50}


@blp.route("/projects/<project>/tasks")
class ProjectTasks(MethodView):
    @jwt_required()
    @blp.etag
    @blp.arguments(After, location="query")
    @blp.response(200, PageSchema)
    def get(self, query, project):
        found = Task.objects(project_id=ObjectId(project), deleted_at=None)
        if query:
            at, last = datetime.fromtimestamp(query["after_at"], UTC), ObjectId(query["after_id"])
            found = found.filter(me.Q(updated_at=at, id__lt=last) | me.Q(updated_at__lt=at))
        return page(found, "-updated_at")

    @jwt_required()
    @blp.arguments(TaskSchema(exclude=("start_at",)))
    @blp.response(201, TaskSchema)
    def post(self, data, project):
        parent = Project.objects(id=ObjectId(project)).modify(new=True, inc__last_number=1)
        moment = datetime.now(UTC)
        task = Task(
            project_id=parent.id, key=f"{parent.key}-{parent.last_number}", reporter_id=get_jwt_identity(), **data
        )
        task.created_at = task.updated_at = moment
        return task.save()


@blp.route("/tasks")
@jwt_required()
@blp.etag
@blp.response(200, PageSchema)
def list_mine():
    me_id = ObjectId(get_jwt_identity())
    projects = Membership.objects(user_id=me_id).distinct("project_id")
    return page(Task.objects(project_id__in=projects, deleted_at=None, tags=f"a:{me_id}"), "created_at")


@blp.route("/tasks/<task>")
class OneTask(MethodView):
    @jwt_required()
    @blp.etag
    @blp.response(200, TaskSchema)
    def get(self, task):
        return Task.objects.get(id=task, deleted_at=None)

    @jwt_required()
    @blp.arguments(TaskSchema(partial=True))
    @blp.response(200, TaskSchema)
    def patch(self, data, task):
        found = Task.objects.get(id=task, deleted_at=None)
        for field, value in data.items():
            setattr(found, field, value)
        found.revision += 1
        found.updated_at = datetime.now(UTC)
        return found.save()


def figures(project, name):
    found = Task.objects(project_id=ObjectId(project), deleted_at=None)
    return json.loads(json.dumps(next(found.aggregate([{"$facet": PIPELINES[name]}])), default=str))


@blp.route("/projects/<project>/stats")
@jwt_required()
def stats(project):
    found = figures(project, "stats")
    return {"total": sum(row["count"] for row in found["by_status"]), **found}


@blp.route("/projects/<project>/facets")
@jwt_required()
def facets(project):
    return figures(project, "facets")


Api(app).register_blueprint(blp)
