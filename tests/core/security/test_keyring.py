"""The key ring: rotated while processes run, without refusing anybody's token."""

import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from taskmanager.core.security import keyring
from taskmanager.testing.clients import sign_in
from taskmanager.testing.factories import UserFactory

ME = "/api/v1/users/me"


def age(folder, kid, seconds):
    moment = time.time() - seconds
    os.utime(folder / f"{kid}.pem", (moment, moment))


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "keys"
    age(folder, keyring.create(folder), 1000)
    return folder


def ring_of(folder):
    ring = keyring.LiveRing(folder, keyring.load(folder))
    ring._refreshed = 0.0
    return ring


def test_a_new_key_verifies_at_once_and_signs_when_every_process_knows_it(folder):
    ring = ring_of(folder)
    (old,) = ring.keys
    new, removed = keyring.rotate(folder, keep_seconds=3600)
    age(folder, new, 0)
    ring._refreshed = 0.0
    assert ring.find(new) is not None
    assert (ring.active_kid, removed) == (old, [])
    age(folder, new, 60)
    assert ring.active_kid == new
    assert list(ring.keys) == [old, new]


def test_rotating_removes_keys_whose_tokens_have_ended(folder):
    (first,) = keyring.load(folder).keys
    second, _ = keyring.rotate(folder, keep_seconds=3600)
    age(folder, second, 3700)
    third, removed = keyring.rotate(folder, keep_seconds=3600)
    assert removed == [first]
    assert list(keyring.load(folder).keys) == sorted([second, third])


def test_the_list_says_what_each_key_does(folder):
    new, _ = keyring.rotate(folder, keep_seconds=3600)
    age(folder, new, 0)
    assert [state for _, _, state in keyring.described(folder)] == ["signing", "settling"]


def test_keys_made_right_after_one_another_sort_by_age(tmp_path):
    made = [keyring.create(tmp_path) for _ in range(20)]
    assert list(keyring.load(tmp_path).keys) == made


def test_a_folder_that_cannot_be_read_leaves_the_ring_in_force(folder):
    ring = ring_of(folder)
    (kid,) = ring.keys
    (folder / "broken.pem").write_text("no key")
    ring._refreshed = 0.0
    assert ring.find("broken") is None
    assert list(ring.keys) == [kid]


def test_unknown_ids_make_the_folder_be_read_at_most_once_a_second(folder, monkeypatch):
    ring, loads = ring_of(folder), []
    ring.find("first")
    began, load = time.monotonic(), keyring.load
    monkeypatch.setattr(keyring, "load", lambda folder: loads.append(folder) or load(folder))
    for number in range(100):
        if number % 10 == 0:
            keyring.create(folder)
        ring.find(f"unknown{number}")
    assert len(loads) <= int(time.monotonic() - began)  # none, unless the machine is slow


def test_a_new_key_is_found_by_all_threads_that_ask_while_one_reads_the_folder(folder, monkeypatch):
    ring, gate, load = ring_of(folder), threading.Barrier(8), keyring.load

    def slow(folder):
        time.sleep(0.1)  # in which the others ask
        return load(folder)

    monkeypatch.setattr(keyring, "load", slow)
    new, _ = keyring.rotate(folder, keep_seconds=3600)

    def find(_):
        gate.wait()
        return ring.find(new)

    with ThreadPoolExecutor(8) as pool:
        assert None not in list(pool.map(find, range(8)))


def test_tokens_of_the_old_and_the_new_key_are_good_and_those_of_a_removed_one_are_not(
    app, other_app, settings, tmp_path
):
    keys = tmp_path / "ring"
    age(keys, keyring.create(keys), 1000)
    running = other_app(keys_dir=keys)
    ring = running.extensions["taskmanager-keys"]
    old = sign_in(running, UserFactory())
    first = ring.active_kid
    new, _ = keyring.rotate(keys, keep_seconds=3600)
    age(keys, new, 60)
    ring._refreshed = 0.0
    fresh = sign_in(running, UserFactory())
    assert [client.get(ME).status_code for client in (old, fresh)] == [200, 200]
    (keys / f"{first}.pem").unlink()
    ring._refreshed = 0.0
    assert [client.get(ME).status_code for client in (old, fresh)] == [401, 200]
    assert [key["kid"] for key in running.test_client().get("/.well-known/jwks.json").json["keys"]] == [new]
