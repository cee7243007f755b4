"""`plugins/rabbitmq` with a real RabbitMQ, which is killed under load: each event arrives, in order.

`make broker-test` publishes more and kills it more often.
"""

import importlib
import json
import os
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pika
import pytest
from click.testing import CliRunner
from structlog.testing import capture_logs

from taskmanager.core.events import positions
from taskmanager.core.events.log import Event
from tests.faults.stack import eventually, running
from tests.rabbit import RabbitServer

KILLS = int(os.environ.get("BROKER_KILLS", "1"))
TASKS = 60 * KILLS
PLUGIN = Path(__file__).parents[2] / "plugins" / "rabbitmq"


@pytest.fixture(scope="module")
def plugin():
    """The modules of the plugin, which is not installed."""
    sys.path.insert(0, str(PLUGIN))
    names = ("commands", "publisher", "settings", "sink", "feature")
    yield {name: importlib.import_module(f"taskmanager_rabbitmq.{name}") for name in names}
    sys.path.remove(str(PLUGIN))


@pytest.fixture(scope="module")
def broker(tmp_path_factory):
    with running(RabbitServer(tmp_path_factory.mktemp("rabbit"))) as server:
        yield server


class Remembering:
    """A sink."""

    def __init__(self):
        self.events = []

    def publish(self, events):
        self.events += events


class Publishing(threading.Thread):
    """Publishes as the process does: a batch that was not confirmed is published again."""

    def __init__(self, plugin, broker):
        super().__init__(daemon=True)
        settings = plugin["settings"].RabbitSettings(url=broker.url, batch=20)
        self.sink = plugin["sink"].RabbitSink(broker.url, settings.exchange, settings.queue)
        self.publisher, self.unavailable = (
            plugin["publisher"].Publisher(self.sink, settings),
            plugin["sink"].SinkUnavailable,
        )
        self.outages, self.ending = 0, threading.Event()

    def run(self):
        while not self.ending.is_set():
            try:
                pause = 0.0 if self.publisher.step() else 0.05
            except self.unavailable:
                self.outages, pause = self.outages + 1, 0.2
            time.sleep(pause)
        self.sink.close()


def taken(broker, queue, reject=()):
    """Take all messages of a queue; return the CloudEvents."""
    connection = pika.BlockingConnection(pika.URLParameters(broker.url))
    channel, found = connection.channel(), []
    while True:
        method, properties, body = channel.basic_get(queue)
        if method is None:
            break
        event = json.loads(body)
        assert (properties.content_type, properties.delivery_mode) == ("application/cloudevents+json", 2)
        found.append(event)
        if event["id"] in reject:
            channel.basic_nack(method.delivery_tag, requeue=False)
        else:
            channel.basic_ack(method.delivery_tag)
    connection.close()
    return found


def test_each_event_arrives_in_order_although_the_broker_is_killed(plugin, broker, caller, user, project):
    client = caller(user)
    positions.place_all()
    start = plugin["publisher"].cursor()  # what was before is not published
    thread = Publishing(plugin, broker)
    thread.start()
    try:
        for number in range(TASKS):
            answer = client.post(f"/api/v1/projects/{project.id}/tasks", json={"title": f"Task {number}"})
            assert answer.status_code == 201
            positions.place_all()
            if number % 60 == 30:
                broker.kill()
                time.sleep(0.5)
                broker.start()
        deadline = time.monotonic() + 120
        while plugin["publisher"].cursor() < positions.head():
            assert time.monotonic() < deadline
            time.sleep(0.1)
    finally:
        thread.ending.set()
        thread.join(30)
    assert thread.outages  # the kill was felt
    wanted = [str(event.id) for event in Event.objects(position__gt=start, audited__ne=True).order_by("position")]
    assert len(wanted) >= TASKS
    found = taken(broker, "taskmanager.events", reject={wanted[3]})
    first = list(dict.fromkeys(event["id"] for event in found))
    assert first == wanted, "each one, in the order of positions; a batch may come twice"
    print(f"{len(wanted)} events, {len(found) - len(wanted)} twice, {thread.outages} tries failed")
    created = next(event for event in found if event["type"] == "task.created")
    assert created["specversion"] == "1.0" and created["partitionkey"] == f"project:{project.id}"
    assert created["source"] == "/taskmanager" and int(created["sequence"]) > start
    dead = lambda: {event["id"] for event in taken(broker, "taskmanager.events.dead")}  # noqa: E731
    eventually(lambda: wanted[3] in dead(), "the rejected event, which the broker moves by itself")


def test_a_broker_that_is_away_moves_nothing(plugin, project):
    settings = plugin["settings"].RabbitSettings(audited=True)
    sink = plugin["sink"].RabbitSink("amqp://guest:guest@127.0.0.1:1/%2F", "x", "x")
    positions.place_all()
    plugin["publisher"].rewind(0)
    with pytest.raises(plugin["sink"].SinkUnavailable):
        plugin["publisher"].Publisher(sink, settings).step()
    assert plugin["publisher"].cursor() == 0


def test_security_events_are_published_when_asked_for(plugin, client, user):
    client.post("/api/v1/auth/login", json={"email": user.email, "password": "not this one"})
    positions.place_all()

    kinds = {}
    for audited in (False, True):
        sink = Remembering()
        plugin["publisher"].rewind(0)
        publisher = plugin["publisher"].Publisher(sink, plugin["settings"].RabbitSettings(audited=audited))
        while publisher.step():
            pass
        kinds[audited] = {event["type"] for event in sink.events}
        assert "address" not in json.dumps([event.keys() - {"data"} for event in sink.events], default=list)
    assert "login.failed" in kinds[True] - kinds[False]


def test_no_event_is_left_out_by_a_wrong_position(plugin, project):
    positions.place_all()
    plugin["publisher"].rewind(0)
    environment = SimpleNamespace(connect=lambda: None)
    head = positions.head()
    refused = CliRunner().invoke(plugin["commands"].rewind, [str(head + 1)], obj=environment)
    assert refused.exit_code == 1 and f"position {head}" in refused.output
    assert plugin["publisher"].cursor() == 0
    accepted = CliRunner().invoke(plugin["commands"].rewind, [str(head)], obj=environment)
    assert accepted.exit_code == 0 and plugin["publisher"].cursor() == head


def test_events_that_retention_has_deleted_are_mentioned_once(plugin, project):
    positions.place_all()
    head = positions.head()
    positions.raise_floor(head)
    Event.objects(position__gt=0).delete()
    plugin["publisher"].rewind(0)
    publisher = plugin["publisher"].Publisher(Remembering(), plugin["settings"].RabbitSettings())
    with capture_logs() as lines:
        assert [publisher.step() for _ in range(3)] == [0, 0, 0]
    found = [line for line in lines if "first" in line]  # a query that was slow is logged, too
    assert [(line["first"], line["last"]) for line in found] == [(1, head)]
    assert plugin["publisher"].cursor() == head


@pytest.mark.parametrize("url", ["http://h", "amqp:", "localhost"])
def test_a_wrong_url_is_refused_without_being_shown(plugin, url):
    with pytest.raises(ValueError, match="amqp://") as caught:
        plugin["settings"].RabbitSettings(url=url)
    assert url not in str(caught.value) or url == "amqp:"
