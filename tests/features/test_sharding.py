"""The keys of the shards: all unique indexes admit them, and the queries of all routes name them, with exceptions."""

from collections import Counter

import pytest
from bson import Int64, MaxKey, MinKey, encode, json_util
from pymongo import MongoClient
from pymongo.errors import OperationFailure

from taskmanager.core.servers import sharding
from taskmanager.core.servers.sharding import KEYS
from taskmanager.core.storage import database
from taskmanager.testing.factories import ProjectFactory
from tests.features.matrix import TABLE
from tests.features.query_log import rekeyed, scattered
from tests.features.test_matrix import Places, ask
from tests.scene import Scene
from tests.terminal import invoke
from tests.web.counting import commands

# Queries that ask all shards, and why that is right. A query that is not here must name the key of its collection.
REASONS: dict[str, tuple[str, ...]] = {
    "the rights of an account: read once after each change of them, and cached; few of an account": (
        "memberships find user_id",
        "memberships find role user_id",
        "memberships distinct user_id",
        "memberships distinct role user_id",
        "memberships delete _id",
        "memberships delete _id revision",
    ),
    "the other end of a relation, of which a task has a hundred at most": (
        "relations find to_id",
        "relations find kind to_id",
        "relations aggregate to_id",
        "relations find _id",
    ),
    "subtasks, reminders and relations know the id of a task and not its project": (
        "tasks find _id",
        "tasks distinct _id",
        "tasks find deleted_at parent_id",
    ),
    "a quota of an account, counted when a reminder is made": ("reminders aggregate user_id",),
    "removal, which is rare": (
        "attachments delete _id",
        "comments delete _id",
        "relations delete _id",
        "relations delete to_id",
        "reminders delete _id",
        "sessions delete _id",
        "tasks find _id purged_with trashed_with",
        "tasks find parent_id purged_with trashed_with",
        "tasks find purged_at trashed_with",
    ),
    "the log of one task or account, which the stream of a project has in another order": (
        "events find subject_id",
        "events find audited subject_id",
    ),
    "the order of all events, which one process gives and readers of many streams follow": (
        "events find position",
        "events update _id position",
    ),
    "deliveries of one webhook, shown to its owner": (
        "deliveries find channel recipient_id",
        "deliveries find _id channel recipient_id",
    ),
    "one notification by its id": ("notifications find _id",),
}
EXCEPTIONS = {query: reason for reason, queries in REASONS.items() for query in queries}


def test_unique_indexes_admit_the_keys(app):
    """MongoDB keeps values unique within a shard: the key must be the first field of the index."""
    stored = database.database()
    unique = {
        f"{name} {index['key'][0][0]}"
        for name in KEYS
        for index in stored[name].index_information().values()
        if index.get("unique")
    }
    assert unique <= {f"{name} {key.field}" for name, key in KEYS.items()}


def test_the_plan_is_accepted_as_far_as_a_server_without_a_router_can_tell(app):
    """The indexes are made; of the rest, the commands are encoded and known to the protocol that was written down."""
    steps = [step.command for step in sharding.plan("taskmanager", ["rs0", "rs1", "rs2"])]
    stored = database.database()
    bounds = [step for step in steps if step.get("updateZoneKeyRange") == "taskmanager.tasks"]
    assert (bounds[0]["min"], bounds[-1]["max"]) == ({"project_id": MinKey()}, {"project_id": MaxKey()})
    assert bounds[32]["min"] == {"project_id": 0} and type(bounds[32]["min"]["project_id"]) is Int64
    for command in steps:
        if "createIndexes" in command:
            name, index = command["createIndexes"], command["indexes"][0]["name"]
            assert stored.command(dict(command))["ok"]
            stored[name].drop_index(index)
        elif command.keys() != {"addShardToZone", "zone"}:
            assert command.keys() in (
                {"updateZoneKeyRange", "min", "max", "zone"},
                {"shardCollection", "key", "unique"},
            )
            assert encode(dict(command))
    with pytest.raises(OperationFailure, match="no such command"):  # here is no router: sh.* cannot be tried
        database.client().admin.command(dict(steps[-1]))


def test_the_zones_cover_every_hash_once_and_are_the_same_in_all_collections():
    found = list(sharding.ranges())
    assert (found[0][0], found[-1][1]) == (None, None)
    assert [high for _, high, _ in found[:-1]] == [low for low, _, _ in found[1:]]
    assert len({name for *_, name in found}) == sharding.ZONES
    widths = {high - low for low, high, _ in found[1:-1]}
    assert widths == {2**64 // sharding.ZONES}


def test_the_command_prints_what_mongosh_takes():
    printed = invoke("shard", "plan", "rs0", "rs1").output.splitlines()
    assert printed[0] == 'db.getSiblingDB("taskmanager").getCollection("tasks").createIndex({"project_id": "hashed"})'
    assert 'sh.addShardToZone("rs1", "part-31")' in printed
    assert printed[-1] == 'sh.shardCollection("taskmanager.sessions", {"user_id": "hashed"})'
    assert len(printed) == len(set(printed)) == 64 + len(KEYS) * (64 + 2)
    as_json = json_util.loads(invoke("shard", "plan", "rs0", "--json").output)
    sharded = {"shardCollection": "taskmanager.sessions", "key": {"user_id": "hashed"}, "unique": False}
    assert as_json[-1] == sharded | {"$db": "admin"}
    assert (as_json[0]["createIndexes"], as_json[0]["$db"]) == ("tasks", "taskmanager")
    first = next(command for command in as_json if "updateZoneKeyRange" in command)
    assert first["min"] == {"project_id": MinKey()}
    for wrong in (["rs0", "rs0"], ["rs0", "--from", "rs1 rs1"]):
        assert invoke("shard", "plan", *wrong).exit_code == 2


@pytest.mark.parametrize(("shards", "moved"), [(1, 32), (2, 21), (4, 12), (8, 7), (16, 3), (32, 1), (63, 1)])
def test_a_further_shard_moves_only_what_it_gets(shards, moved):
    names = [f"rs{number}" for number in range(shards + 1)]
    steps = [step.command for step in sharding.changed_plan(names[:-1], names)]
    assert [step.get("addShardToZone") for step in steps[::2]] == [names[-1]] * moved
    assert [step["zone"] for step in steps[::2]] == [step["zone"] for step in steps[1::2]]
    assert all(step["removeShardFromZone"] in names[:-1] for step in steps[1::2])  # no zone stays on two
    sizes = Counter(sharding.owners(shards + 1))
    assert len(sizes) == shards + 1 and max(sizes.values()) - min(sizes.values()) <= 1


def test_the_command_prints_the_difference_of_two_plans():
    printed = invoke("shard", "plan", "rs0", "rs1", "--from", "rs0").output.splitlines()
    assert printed[:2] == ['sh.addShardToZone("rs1", "part-00")', 'sh.removeShardFromZone("rs0", "part-00")']
    assert len(printed) == 64


def test_the_queries_of_all_routes_name_their_shards(app):
    """The owner asks for everything that they may; what asks all shards is an exception."""
    found: dict[str, set[str]] = {}
    scene = Scene(app)
    allowed = [name for name, route in TABLE.items() if route.expected["owner"] < 400]
    for name in sorted(allowed, key=lambda name: not name.startswith("GET")):
        with commands.counting() as seen:
            try:
                status = ask(scene, name, "owner", Places(scene)).status_code
            except (AssertionError, KeyError):  # a route before it has changed what this one needs
                status = 0
            if status != TABLE[name].expected["owner"]:
                scene = Scene(app)
                assert ask(scene, name, "owner", Places(scene)).status_code == TABLE[name].expected["owner"]
        for one in [one for event in seen for one in scattered(event)]:
            found.setdefault(str(one), set()).add(name)
    unexpected = [f"{query}: {', '.join(sorted(routes))}" for query, routes in found.items() if query not in EXCEPTIONS]
    assert not unexpected, "\n".join(sorted(unexpected))
    assert sorted(EXCEPTIONS.keys() - found.keys()) == []  # none is stale


def test_behind_a_router_a_move_changes_the_key_of_each_task_by_a_command_of_its_own(scene, monkeypatch):
    """A router refuses a batch of changes that move documents to another shard (error 72) in a transaction."""
    monkeypatch.setattr(MongoClient, "is_mongos", True)  # no router is here
    body = {"title": "part", "parent_id": str(scene.task.id)}
    assert scene.owner.post(scene.tasks_path, json=body).status_code == 201
    target = ProjectFactory(owner=scene.owner.user)
    with commands.counting() as seen:
        answer = scene.owner.post(f"{scene.task_path}/move", json={"project_id": str(target.id)})
        assert answer.status_code == 200
    changing = [event for event in seen if event.command.get("findAndModify") == "tasks"]
    assert [event.command["update"]["$set"]["project_id"] for event in changing] == [target.id] * 2
    assert not [one for event in seen if event.command_name == "update" for one in rekeyed(event.command)]
