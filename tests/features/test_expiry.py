"""What is stored for a time ends: documents with a TTL index are deleted by MongoDB, keys of the stores expire."""

import re
from datetime import timedelta

import pytest
from pymongo import MongoClient

from taskmanager.api import history
from taskmanager.core.clock import now
from taskmanager.core.events import outbox
from taskmanager.core.events.log import QUEUES
from taskmanager.core.servers.stores import cache_store, queue_store
from taskmanager.core.storage import database
from taskmanager.embedded import mongod
from tests.architecture.test_holdings import documents
from tests.faults.stack import eventually, running
from workers.worker import Worker

# What has no time as long as it is in use; all other documents of these collections have one from the beginning.
WITHOUT_A_TIME = {"deliveries": "one that is pending: it gets its time when it has ended"}
# Keys of RQ and counts that stay: their number is that of queues, workers, channels and outcomes.
_OF_QUEUES = rb"(queues|queue:.*|workers(:.*)?|(wip|finished|failed|canceled|deferred|scheduled):.*)"
LASTING = re.compile(rb"rq:" + _OF_QUEUES + rb"|tm:\w+:total")


@pytest.fixture
def ttl_indexes(app):
    """[(collection, index)]"""
    return [
        (name, index)
        for name in database.expiring_collections()
        for index in database.database()[name].list_indexes()
        if "expireAfterSeconds" in index
    ]


def test_mongodb_deletes_what_has_expired_and_nothing_else(ttl_indexes, tmp_path):
    """In a server of its own that looks each second: the usual one does each minute."""
    options = ("expireAfterSeconds", "partialFilterExpression", "sparse")
    with running(mongod.MongodServer(tmp_path, ttlMonitorSleepSecs="1")) as server, MongoClient(server.uri) as client:
        for name, index in ttl_indexes:
            [field] = index["key"]
            collection = client.taskmanager[name]
            collection.create_index(field, **{option: index[option] for option in options if option in index})
            expired = now() - timedelta(seconds=index["expireAfterSeconds"] + 60)
            young = expired + timedelta(seconds=3_600)
            collection.insert_many([{"_id": "expired", field: expired}, {"_id": "young", field: young}])
            collection.insert_one({"_id": "without a time"})
        names = [name for name, _ in ttl_indexes]
        assert len(names) >= 11

        def left(name):
            return set(client.taskmanager[name].distinct("_id"))

        eventually(lambda: not any("expired" in left(name) for name in names), "the end of what has expired")
        assert {name: left(name) for name in names} == {name: {"young", "without a time"} for name in names}


def test_every_document_that_is_to_expire_has_its_time(ttl_indexes):
    kinds = {kind._get_collection_name(): kind for kind in documents()}
    for name, index in ttl_indexes:
        [stored] = index["key"]
        field = next(one for one in kinds[name]._fields.values() if one.db_field == stored)
        assert field.required is (name not in WITHOUT_A_TIME), name


def test_every_key_of_the_stores_expires_but_those_whose_number_is_bounded(scene, other_app, monkeypatch):
    """After a login, reads, a ticket of the stream, and jobs that a real worker has run."""
    monkeypatch.setattr(Worker, "_install_signal_handlers", lambda worker: None)  # those of the tests stay
    client = other_app(ratelimit_enabled=True).test_client()

    def is_counted() -> bool:
        """Log in; a store that was late on a busy machine does not count."""
        client.post("/api/v1/auth/login", json={"email": "unknown@example.com", "password": "x"})
        return any(key.startswith(b"LIMIT") for key in cache_store().scan_iter())

    eventually(is_counted, "a count of logins in the store")
    scene.owner.get(scene.tasks_path)
    scene.owner.post("/api/v1/stream/tickets")
    scene.owner.put(f"{scene.task_path}/assignees/{scene.member().user.id}")
    assert outbox.relay_batch()
    Worker([outbox.queue(name) for name in QUEUES], connection=queue_store()).work(burst=True)
    history.Sampler().write()
    cached = {key: cache_store().ttl(key) for key in cache_store().scan_iter()}
    kept = {key: queue_store().ttl(key) for key in queue_store().scan_iter()}
    families = {match[0] for key in cached if (match := re.match(rb"LIMIT|tm:[a-z]+", key))}
    assert families >= {b"LIMIT", b"tm:access", b"tm:ticket", b"tm:minute"}
    assert [key for key, seconds in cached.items() if seconds == -1] == []
    assert any(key.startswith(b"rq:") for key in kept)
    assert [key for key, seconds in kept.items() if seconds == -1 and not LASTING.fullmatch(key)] == []
