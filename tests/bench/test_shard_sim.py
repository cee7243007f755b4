"""The simulation of shards hashes as MongoDB does, and its tables follow from what is in the zones."""

import pytest
from bson import ObjectId
from pymongo import MongoClient

from taskmanager.embedded.mongod import MongodServer
from tests.bench.shard_sim import ZONES, Simulation, hash_of, moves, part_of, shares, sizes, table


def test_ids_are_hashed_as_the_server_does(tmp_path):
    server = MongodServer(tmp_path, for_tests=True)
    server.start(timeout=60)
    try:
        with MongoClient(server.uri) as client:
            for value in (ObjectId("65f1c0ffee0123456789abcd"), ObjectId(), "project:65f1c0ffee0123456789abcd", ""):
                answer = client.admin.command({"_hashBSONElement": value, "seed": 0})
                assert answer["out"] == hash_of(value)
    finally:
        server.stop(patience=0)


def test_zones_are_spread_over_shards_and_the_largest_project_stays_whole():
    found = Simulation(20_000).run()
    assert sum(found.of_parts) == sum(found.below_tasks) == sum(sizes(20_000)) == 20_000
    assert found.projects[0][1] == max(size for _, size in found.projects) == 200
    assert {part for part, _ in found.projects} == set(range(ZONES))
    assert sum(shares(found.of_parts, 8)) == pytest.approx(8)
    assert max(shares(found.of_parts, 4)) < 1.2
    assert found.asked(4, 1) == 1
    assert 3 < found.asked(4, 10) <= 4
    assert len(list(table(found))) == 8
    assert "| 2 | 3 | 21 |" in "\n".join(moves(found))


def test_the_ends_of_the_hashes_are_in_the_first_and_the_last_zone():
    parts = [part_of(ObjectId()) for _ in range(1_000)]
    assert min(parts) >= 0 and max(parts) < ZONES
