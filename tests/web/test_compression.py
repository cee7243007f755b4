"""Answers are compressed as the client wishes, above a size."""

import gzip

import brotli
import pytest
from backports import zstd

from tests.scene import patch

_READ = {"gzip": gzip.decompress, "br": brotli.decompress, "zstd": zstd.decompress}


@pytest.fixture
def large(scene):
    patch(scene.owner, scene.task_path, {"description": "long " * 500})
    return scene


@pytest.mark.parametrize("encoding", _READ)
def test_a_large_answer_is_compressed_as_the_client_wishes(large, encoding):
    plain = large.owner.get(large.task_path)
    packed = large.owner.get(large.task_path, headers={"Accept-Encoding": encoding})
    assert packed.headers["Content-Encoding"] == encoding
    assert _READ[encoding](packed.data) == plain.data
    assert int(packed.headers["Content-Length"]) == len(packed.data) < len(plain.data)


@pytest.mark.parametrize("wish", [None, "identity", "nonsense", "gzip;q=0"])
def test_a_client_that_wishes_none_gets_none(large, wish):
    answer = large.owner.get(large.task_path, headers={"Accept-Encoding": wish} if wish else {})
    assert "Content-Encoding" not in answer.headers
    assert answer.json["description"].startswith("long")


def test_a_small_answer_is_left_alone(large):
    answer = large.owner.get(f"{large.task_path}?fields=id", headers={"Accept-Encoding": "gzip"})
    assert "Content-Encoding" not in answer.headers


def test_caches_are_told_what_an_answer_depends_on(large):
    for path in (large.task_path, large.tasks_path, "/nothing"):
        vary = {name.strip() for name in large.owner.get(path).headers["Vary"].split(",")}
        assert vary >= {"Accept", "Accept-Encoding", "Authorization"}, path


@pytest.mark.parametrize("path", ["task_path", "tasks_path"])
def test_data_is_private_and_asked_for_again(large, path):
    assert large.owner.get(getattr(large, path)).headers["Cache-Control"] == "private, no-cache"
