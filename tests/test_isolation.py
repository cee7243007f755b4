"""No test leaves anything to those that run after it: indexes come back, and what is left in the process is told."""

import structlog

from taskmanager.core.storage.database import database
from taskmanager.testing.emptying import empty_all
from tests import leftovers


def test_indexes_that_a_test_makes_or_drops_are_as_before_for_the_next(app):
    names = ("comments", "labels", "users")
    before = {name: database()[name].index_information() for name in names}
    unique = next(name for name, index in before["users"].items() if index.get("unique"))
    database().users.drop_index(unique)
    database().comments.create_index("never")
    database().labels.drop()
    empty_all()
    assert {name: database()[name].index_information() for name in names} == before


def test_collections_that_a_test_makes_are_gone_for_the_next(app):
    before = set(database().list_collection_names()) | {"emptied"}
    database().made_by_an_insert.insert_one({})
    database().create_collection("made_and_empty")
    empty_all()
    assert set(database().list_collection_names()) == before


def test_what_is_left_in_the_process_is_told(app, monkeypatch, change_settings):
    before = leftovers.state()
    assert leftovers.differences(before) == []
    monkeypatch.setenv("LEFT", "1")
    change_settings(web_threads=3)
    structlog.get_config()["processors"].insert(0, structlog.stdlib.add_logger_name)
    told = [found.partition(":")[0] for found in leftovers.differences(before)]
    del structlog.get_config()["processors"][0]
    assert told == ["os.environ", "structlog", "the settings"]
