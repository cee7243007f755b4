"""The queue behind Sentinels, the cache in a cluster: the same service, also when a server of them is killed.

`make stores-test` kills the primary again and again.
"""

import os
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from redis.connection import SSLConnection
from rq.cli.helpers import get_redis_from_config

from taskmanager.core.configuration.connection_urls import is_same_store, store_address
from taskmanager.core.events import outbox
from taskmanager.core.events.log import Event
from taskmanager.core.locking import leases
from taskmanager.core.servers import server_checks
from taskmanager.core.servers.store_clients import sentinel_of_rq
from taskmanager.core.servers.stores import RedisError, cache_outage, cache_store, client, queue_store
from taskmanager.features.notifications.models import Notification
from taskmanager.testing.clients import sign_in
from taskmanager.testing.factories import MembershipFactory, ProjectFactory, UserFactory
from tests.faults.stack import eventually, freeze, kill, running, thaw
from tests.stores import Cluster, Group

ROUNDS = int(os.environ.get("STORE_FAILOVERS", "1"))
TASKS = 10 * ROUNDS


@pytest.fixture(scope="module")
def group(tmp_path_factory):
    with running(Group(tmp_path_factory.mktemp("group"))) as made:
        yield made


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with running(Cluster(tmp_path_factory.mktemp("cluster"))) as made:
        yield made


def test_a_queue_behind_sentinels_loses_nothing_when_the_primary_is_killed(app, other_app, group, deliver):
    app = other_app(queue_url=group.url)
    owner, assignee = UserFactory(), UserFactory()
    project, client = ProjectFactory(owner=owner), sign_in(app, owner)
    MembershipFactory(project=project, user=assignee)
    assert [one for one in server_checks.store_problems(seconds=5.0) if one.check == "queue"] == []

    def assign(number):
        body = {"title": f"Task {number}", "assignee_ids": [str(assignee.id)]}
        answer = client.post(f"/api/v1/projects/{project.id}/tasks", json=body)
        assert answer.status_code == 201, answer.text

    for number in range(ROUNDS):
        for one in range(5):
            assign(10 * number + one)
        outbox.relay_batch()  # jobs are in the queue, and no worker has run them
        before = group.primary_port()
        (killed,) = [one for one in (group.primary, group.replica) if one.port == before]
        kill(killed)
        for one in range(5, 10):
            assign(10 * number + one)  # the queue is not needed for a write
        # Sentinels that were stopped for two seconds, as by a busy machine, wait for half a minute
        eventually(lambda before=before: group.primary_port() != before, "a failover", seconds=180)
        killed.start()  # Sentinels make it the replica
        eventually(lambda: _delivered(deliver), "the work of all events", seconds=120)
    assert len(Notification.objects(user_id=assignee.id).distinct("task_id")) == TASKS


def _delivered(deliver):
    try:
        deliver()
    except RedisError:  # the primary is away, or was one
        return False
    return Event.objects(due_at__exists=True).count() == 0


def test_a_cache_in_a_cluster_counts_exactly_and_may_lose_a_node(app, other_app, cluster):
    app = other_app(cache_url=cluster.url, ratelimit_enabled=True, ratelimit_default="8/minute")
    client = sign_in(app, UserFactory())
    assert [one for one in server_checks.store_problems(seconds=5.0) if one.check == "cache"] == []
    statuses = [client.get("/api/v1/users/me").status_code for _ in range(12)]
    assert statuses == [200] * 8 + [429] * 4
    held = leases.acquire("a", 10)
    assert not leases._poll("a", "other")
    held.release()
    leases._wait("a", "other")
    assert leases._poll("a", "other")
    other = sign_in(app, UserFactory())
    assert other.get("/api/v1/users/me").headers["RateLimit"]
    assert other.post("/api/v1/auth/logout").status_code == 204
    assert other.get("/api/v1/users/me").status_code == 401
    kill(cluster.nodes[0])
    for user in UserFactory.create_batch(6):  # their keys are in different slots
        assert sign_in(app, user).get("/api/v1/projects").status_code == 200
    cluster.nodes[0].start()


def test_threads_wait_for_a_cluster_that_hangs_as_for_one_server(cluster):
    store = client("cache", cluster.url, 0.5)
    steps = (
        lambda: store.get("LIMITS:a"),
        lambda: store.mget("LIMITS:a", "LIMITS:b"),
        lambda: store.delete("LIMITS:a"),
        lambda: store.pipeline().set("LIMITS:a", 1).set("LIMITS:b", 2).execute(),
    )

    def failed(step):
        began = time.monotonic()
        with pytest.raises(RedisError):
            step()
        return time.monotonic() - began

    eventually(lambda: all(map(cluster.is_ok, cluster.nodes)), "a cluster that is whole", seconds=60)
    with ThreadPoolExecutor(16) as threads:
        for is_connected in (False, True):
            if is_connected:
                eventually(lambda: works(steps), "a cluster that responds again", seconds=30)
            with hanging(cluster.nodes):
                waits = list(threads.map(failed, steps * 4))
            assert max(waits) < 7, f"one after the other: {waits}"  # four waits of the one that asks the nodes


def works(steps):
    try:
        return [step() for step in steps]
    except RedisError:
        return False


@contextmanager
def hanging(servers):
    try:
        for one in servers:
            freeze(one)
        yield
    finally:
        for one in servers:
            thaw(one)


def test_wrong_passwords_are_told_apart_from_servers_that_are_away(app, other_app, group, cluster):
    wrong = {"queue_url": group.url, "cache_url": cluster.url}
    other_app(**{name: url.replace("p4ss", "another") for name, url in wrong.items()})
    found = server_checks.store_problems(seconds=5.0)
    assert {(one.check, one.final) for one in found} == {("queue", True), ("cache", True)}
    assert all("refuses the user or the password" in one.sentence for one in found)
    with pytest.raises(RedisError):
        queue_store().ping()
    with pytest.raises(RedisError):
        cache_store().ping()
    cache_outage.recovered()


@pytest.mark.parametrize(
    ("url", "kind", "hosts", "single"),
    [
        ("redis+sentinel://u:p%40@a:1,b/tasks/3", "sentinel", (("a", 1), ("b", 26379)), "redis://u:p%40@a:1/3"),
        ("rediss+cluster://a,[::1]:7", "cluster", (("a", 6379), ("::1", 7)), "rediss://a/0"),
        ("rediss+sentinel://a/x?ssl_ca_certs=/c", "sentinel", (("a", 26379),), "rediss://a/0?ssl_ca_certs=/c"),
        ("rediss+cluster://a?ssl_ca_certs=/c", "cluster", (("a", 6379),), "rediss://a/0?ssl_ca_certs=/c"),
        ("redis://h/0", "server", (), "redis://h/0"),
    ],
)
def test_the_parts_of_urls(url, kind, hosts, single):
    found = store_address(url)
    assert (found.kind, found.hosts, found.url) == (kind, hosts, single)


def test_the_plain_worker_asks_sentinels_as_we_do():
    """By TLS and with bounded waits; with the user and the password only when the URL says so."""
    for more, user in (("", None), ("&sentinel_auth=true", "u")):
        address = store_address(f"rediss+sentinel://u:p@a,b/tasks/3?ssl_ca_certs=/c{more}")
        found = get_redis_from_config({"SENTINEL": sentinel_of_rq(address, 5.0)}).connection_pool
        for asked in found.sentinel_manager.sentinels:
            options = asked.connection_pool.connection_kwargs
            assert (options.get("username"), options["ssl_ca_certs"], options["socket_timeout"]) == (user, "/c", 5.0)
            assert asked.connection_pool.connection_class is SSLConnection
        assert found.connection_kwargs["username"] == "u" and found.connection_kwargs["db"] == 3


def test_two_groups_of_the_same_sentinels_are_two_stores():
    assert is_same_store("redis+sentinel://a,b/queue/0", "redis+sentinel://b,a/queue")
    assert is_same_store("redis+sentinel://a,b/queue/0", "redis+sentinel://b:26379/queue/0")
    assert not is_same_store("redis+sentinel://a,b/queue/0", "redis+sentinel://a,b/cache/0")
    assert not is_same_store("redis+sentinel://a,b/queue/0", "redis+sentinel://a,b/queue/1")
    assert is_same_store("redis://H/0", "redis://h:6379") and not is_same_store("redis://h/0", "redis+cluster://h")
