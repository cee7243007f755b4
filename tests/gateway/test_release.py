"""A release replaces the web processes under load without a failed request, and a bad one changes nothing.

`make blue-green` is the same with 20,000 requests and five switches, and wrk beside it.
"""

import os
import re
import shutil
import subprocess

import pytest

from migrations import command, runner
from taskmanager.core.errors import Misconfigured
from taskmanager.core.storage import database
from taskmanager.features.tasks.models import Task
from tests import forked, web_server
from tests.faults.stack import eventually
from tests.faults.web_client import WebClient
from tests.gateway.load import Load, Person
from tests.gateway.nginx import Gateway
from workers.release import COLOURS, Plan, WebColour

REQUESTS, SWITCHES = int(os.environ.get("BLUE_GREEN_REQUESTS", "0")), int(os.environ.get("BLUE_GREEN_SWITCHES", "1"))
IS_LARGE = REQUESTS > 0
DRAIN_SECONDS = 8 if IS_LARGE else 1  # a short one is harmless to what may be repeated, as all requests here
PEOPLE, PAUSE = 4, 0 if IS_LARGE else 0.1  # seconds: other tests need the processor, too
pytestmark = pytest.mark.timeout(3600 if IS_LARGE else 600)


class Releases:
    """Releases on one machine, in a folder."""

    def __init__(self, settings, folder):
        self.folder, self.said = folder, ""
        changes = {"proxy_count": 1, "web_processes": 2 if IS_LARGE else 1, "data_dir": folder, "start_seconds": 120}
        self._environment = web_server._environment(settings, port=1, **changes)

    def __call__(self, *options, fails=False):
        words = ["release", "--folder", str(self.folder), "--drain", str(DRAIN_SECONDS), *options]
        ran = forked.run(["-m", "workers.cli", *words], environment=self._environment)
        self.said = ran.stdout + ran.stderr
        assert bool(ran.returncode) == fails, self.said
        return self.said

    @property
    def colour(self):
        return (self.folder / "web.sock").readlink().stem

    def end(self):
        for colour in COLOURS:
            WebColour(colour, Plan(self.folder, 0)).stop()


@pytest.fixture
def releases(app, settings, tmp_path):
    made = Releases(settings, tmp_path / "r")
    yield made
    made.end()


@pytest.fixture
def gateway(releases, settings, tmp_path):
    made = Gateway(settings, tmp_path / "n", servers=f"unix:{releases.folder}/web.sock")
    made.start()
    yield made
    made.stop()


def people(url, port):
    client = WebClient(url).register()
    made = client.send("POST", "/api/v1/projects", {"key": "LOAD", "name": "Load"})
    assert made.status == 201, made
    return [Person(port, client._token, made.body["id"], PAUSE) for _ in range(PEOPLE)]


def test_releases_under_load(releases, gateway, capsys):
    assert "Released" in releases()
    assert releases.colour == "blue"
    workers = people(gateway.url, gateway.port)
    wrk = start_wrk(gateway.url, workers[0]._token)
    with Load(workers) as load:
        for number in range(SWITCHES):
            releases()
            assert releases.colour == ("green", "blue")[number % 2]
        now = releases.colour
        assert "the check failed with exit code 1" in releases("--check", "false", fails=True)
        assert releases.colour == now
        before = load.number
        assert f"Back to {now}" in releases("--verify", "false", fails=True)
        assert releases.colour == now
        eventually(lambda: load.number > max(before + 20, REQUESTS), "the load", 3000)
    report(capsys, load, wrk)
    assert load.failed == {}
    created = [task for person in workers for task in person.created]
    assert len(set(created)) == len(created) == Task.objects.count()  # each POST had one effect


def test_a_release_that_does_not_start_changes_nothing(releases, tmp_path):
    releases()
    releases._environment["TASKMANAGER_MONGODB_POOL_SIZE"] = "0"
    assert "TASKMANAGER_MONGODB_POOL_SIZE" in releases(fails=True)
    del releases._environment["TASKMANAGER_MONGODB_POOL_SIZE"]
    releases._environment |= {"TASKMANAGER_KEYS_DIR": str(tmp_path / "none"), "TASKMANAGER_ENVIRONMENT": "production"}
    releases._environment["TASKMANAGER_SIGNUP"] = "open"
    releases._environment |= {"TASKMANAGER_SECRET_KEY": "0123456789abcdef" * 3}
    assert "The new release ended" in releases(fails=True) and releases.colour == "blue"


def test_a_migration_that_the_release_before_cannot_bear_is_refused(app, settings):
    names = runner.all_names()
    unmarked = next(name for name in names if not runner._removes(name) and "expand" not in name)
    migrations = database.database().migrations
    this = {"_id": {"$in": [unmarked, runner._FORMER.get(unmarked)]}}
    records = list(migrations.find(this))
    migrations.delete_many(this)
    try:
        with pytest.raises(Misconfigured, match=f"cannot go on after the migration {unmarked}"):
            command.expand_for_release(settings, shared=True)
        with pytest.raises(Misconfigured, match=f"cannot go on after the migration {unmarked}"):
            command.migrate(settings, dry_run=False, check=False, expand=True, say=print)
        assert not migrations.find_one(this)
    finally:
        migrations.insert_many(records)
    assert command.expand_for_release(settings, shared=True) == []


def start_wrk(url, token):
    """Start wrk, which only reads, in a large run where it is installed."""
    if not IS_LARGE or not shutil.which("wrk"):
        return None
    command = ["wrk", "-t1", "-c4", "-d90s", "--timeout", "30s", "-H", f"Authorization: Bearer {token}"]
    return subprocess.Popen([*command, f"{url}/api/v1/users/me"], stdout=subprocess.PIPE, text=True)


def report(capsys, load, wrk):
    slowest = max(person.slowest for person in load.people)
    reopened = sum(person.reopened for person in load.people)
    with capsys.disabled():
        print(f"\n{load.number} requests in {SWITCHES} switches and 2 rollbacks: {sum(load.failed.values())} failed,")
        print(f"{reopened} connections opened again, slowest {slowest:.2f} s; {dict(sorted(load.outcomes.items()))}")
        if wrk:
            said = wrk.communicate(timeout=300)[0]
            print(said)
            assert not re.search(r"Non-2xx|Socket errors", said)
