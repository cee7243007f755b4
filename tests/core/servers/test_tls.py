"""Servers that are reached by TLS: with the certificate of their authority, and not without it."""

import socket
import subprocess
import sys
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit

import pytest
from pymongo import MongoClient

from taskmanager.core.servers import server_checks
from taskmanager.embedded import ports
from taskmanager.embedded.mongod import MongodServer
from taskmanager.features.notifications.models import Notification
from tests.faults.stack import eventually, running
from tests.scene import Scene
from tests.terminal import Terminal


@contextmanager
def front(certificate, behind):
    """Yield the port of TLS in front of a port without."""
    port = ports.choose()
    process = subprocess.Popen([sys.executable, "-m", "tests.tls_front", str(certificate), str(port), str(behind)])
    try:
        eventually(lambda: answers(port), "TLS")
        yield port
    finally:
        process.kill()
        process.wait()


def answers(port):
    with suppress(OSError), socket.create_connection((ports.LOCALHOST, port), timeout=5):
        return True


def test_the_stores_are_reached_by_tls(app, other_app, settings, certificate, deliver):
    queue, cache = urlsplit(settings.queue_url), urlsplit(settings.cache_url)
    with front(certificate, queue.port) as one, front(certificate, cache.port) as other:
        urls = [f"rediss://{ports.LOCALHOST}:{port}{at.path}" for port, at in ((one, queue), (other, cache))]
        with_ca = [f"{url}?ssl_ca_certs={certificate}" for url in urls]
        scene = Scene(other_app(queue_url=with_ca[0], cache_url=with_ca[1], ratelimit_enabled=True))
        assert server_checks.store_problems(seconds=5.0) == []
        assignee = scene.member().user
        body = {"title": "One", "assignee_ids": [str(assignee.id)]}
        answer = scene.owner.post(scene.tasks_path, json=body)
        assert answer.status_code == 201 and answer.headers["RateLimit"]
        assert deliver()
        assert Notification.objects(user_id=assignee.id).distinct("task_id")
        other_app(queue_url=urls[0], cache_url=urls[1])
        assert {problem.check for problem in server_checks.store_problems(seconds=5.0)} == {"queue", "cache"}


class SecretMongod(MongodServer):
    """A mongod that refuses everything but TLS."""

    def __init__(self, folder, certificate):
        super().__init__(folder, for_tests=True)
        self.certificate = certificate

    @property
    def command(self):
        options = ["--tlsMode", "requireTLS", "--tlsCertificateKeyFile", self.certificate]
        options += ["--tlsCAFile", self.certificate, "--tlsAllowConnectionsWithoutCertificates"]
        return [*super().command, *map(str, options)]

    def _connect(self):
        tls = {"tls": True, "tlsCAFile": str(self.certificate)}
        return MongoClient(ports.LOCALHOST, self.port, directConnection=True, timeoutMS=3000, **tls)


@pytest.fixture(scope="module")
def secret(tmp_path_factory, certificate):
    with running(SecretMongod(tmp_path_factory.mktemp("tls"), certificate)) as made:
        yield made


def test_the_database_is_reached_by_tls(app, settings, secret, certificate):
    terminal = Terminal(settings)
    check = ("migrate", "--check")
    known = terminal(*check, mongodb_uri=f"{secret.uri}&tls=true&tlsCAFile={certificate}")
    assert known.returncode == 3 and "run `taskmanager migrate`" in known.stdout, known
    for wrong in ("", "&tls=true"):
        refused = terminal(*check, mongodb_uri=secret.uri + wrong)
        assert refused.returncode == 1 and "does not respond" in refused.stderr, refused
