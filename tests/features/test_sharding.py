"""The keys of the shards: all unique indexes admit them, and the queries of all routes name them, with exceptions."""

import json

import pytest
from bson import encode
from click.testing import CliRunner
from pymongo.errors import OperationFailure

from taskmanager.core.servers import sharding
from taskmanager.core.servers.sharding import KEYS
from taskmanager.core.storage import database
from tests.features.matrix import TABLE
from tests.features.query_log import scattered
from tests.features.test_matrix import Places, ask
from tests.scene import Scene
from tests.web.counting import commands
from workers.cli import main

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
    printed = CliRunner().invoke(main, ["shard", "plan", "rs0", "rs1"]).output.splitlines()
    assert printed[0] == 'db.getSiblingDB("taskmanager").getCollection("tasks").createIndex({"project_id": "hashed"})'
    assert 'sh.addShardToZone("rs1", "part-63")' in printed
    assert printed[-1] == 'sh.shardCollection("taskmanager.sessions", {"user_id": "hashed"})'
    assert len(printed) == len(set(printed)) == 64 + len(KEYS) * (64 + 2)
    as_json = json.loads(CliRunner().invoke(main, ["shard", "plan", "rs0", "--json"]).output)
    assert as_json[-1] == {"shardCollection": "taskmanager.sessions", "key": {"user_id": "hashed"}, "unique": False}
    assert CliRunner().invoke(main, ["shard", "plan", "rs0", "rs0"]).exit_code == 2


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
    assert len(EXCEPTIONS.keys() & found.keys()) > 20  # the routes were asked
