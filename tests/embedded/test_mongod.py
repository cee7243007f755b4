"""The embedded MongoDB, with real processes."""

import os
import signal
import socket

import pytest
from pymongo import MongoClient

from taskmanager.core.errors import Misconfigured
from taskmanager.embedded import mongod, ports


@pytest.fixture
def server(tmp_path):
    server = mongod.MongodServer(tmp_path / "a folder")
    yield server
    server.stop()


def names(server):
    with MongoClient(server.uri, timeoutMS=5000) as client:
        return [row["name"] for row in client.get_default_database().people.find()]


def write(server, name):
    with MongoClient(server.uri, timeoutMS=5000) as client:
        client.get_default_database().people.insert_one({"name": name})


def test_commits_a_transaction(server):
    server.start()
    with MongoClient(server.uri) as client:
        people = client.get_default_database().people
        with client.start_session() as session, session.start_transaction():
            people.insert_one({"name": "Ann"}, session=session)
    assert names(server) == ["Ann"]


def test_keeps_data_and_port_over_a_restart(server):
    server.start()
    write(server, "Ann")
    server.stop()
    again = mongod.MongodServer(server.data_dir)
    again.start()
    try:
        assert (names(again), again.port) == (["Ann"], server.port)
    finally:
        again.stop()


def test_comes_up_on_another_port_with_the_same_data(server):
    server.start()
    write(server, "Ann")
    server.stop()
    moved = mongod.MongodServer(server.data_dir, ports.choose())
    moved.start()
    try:
        assert moved.port != server.port
        assert names(moved) == ["Ann"]
    finally:
        moved.stop()


def test_recovers_from_kill_9(server):
    server.start()
    write(server, "Ann")
    os.kill(server.pid, signal.SIGKILL)
    server.stop()
    assert (server.data_dir / "mongod.lock").read_text().strip()  # the stale lock is there
    server.start()
    assert names(server) == ["Ann"]


def test_refuses_a_folder_in_use_and_names_the_process(server):
    server.start()
    with pytest.raises(Misconfigured, match=f"kill {server.pid}"):
        mongod.MongodServer(server.data_dir).start()


def test_the_owner_of_the_folder_ends_what_a_killed_run_left(server):
    server.start()
    mongod.MongodServer(server.data_dir).end_orphan()
    assert server.orphan() is None


def test_a_taken_port_is_named(server):
    with (
        socket.create_server((ports.LOCALHOST, server.port)),
        pytest.raises(Misconfigured, match=f"port {server.port}"),
    ):
        server.start()


def test_tells_the_end_of_the_log_when_it_cannot_start(server):
    (server.data_dir / "mongod.lock").mkdir()
    with pytest.raises(Misconfigured, match=r"did not start on port \d+(.|\n)*lock file"):
        server.start()
    assert server.pid is None


def test_fail_points_exist_only_where_asked_for(tmp_path):
    server = mongod.MongodServer(tmp_path, for_tests=True)
    assert "enableTestCommands=1" in server.command
    assert "enableTestCommands=1" not in mongod.MongodServer(tmp_path, server.port).command
