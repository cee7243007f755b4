"""What caches may do with each answer to a GET: validators, Cache-Control and Vary, by kind (RFC 9110, RFC 9111)."""

import re

import brotli
import pytest

from taskmanager.extensions import compress
from tests.features.matrix import TABLE, WHO
from tests.features.test_matrix import Places, ask, caller_of

PRIVATE, SECRET, IMMUTABLE = "private, no-cache", "no-store", "public, max-age=31536000, immutable"
READS = [name for name in TABLE if name.startswith("GET ")]
PUBLIC = {
    "GET /": "public, max-age=60",
    "GET /.well-known/jwks.json": "public, max-age=300",
    "GET /api/v1": "public, max-age=60",
    "GET /api/v1/info": "public, max-age=60",
    "GET /api/v1/openapi.json": "public, max-age=300",
    "GET /docs": "public, no-cache",
    "GET /docs/errors": "public, no-cache",
    "GET /docs/errors/<code>": "public, no-cache",
    "GET /docs/guide/": "public, no-cache",
    "GET /docs/openapi-3.0.json": "public, max-age=300",
}
# What is asked for anew each time: secrets, the state of this process, files that are made for one answer.
UNSTORED = {
    "GET /api/v1/auth/oidc",
    "GET /api/v1/projects/<project_id>/share-links",
    "GET /api/v1/projects/<project_id>/share-links/<link_id>",
    "GET /api/v1/sync",
    "GET /api/v1/users/me/export",
    "GET /api/v1/users/me/totp",
    "GET /health",
    "GET /health/live",
    "GET /health/ready",
    "GET /metrics",
}


def test_every_answer_tells_caches_what_they_may_do(scene):
    places, callers = Places(scene), {who: caller_of(scene, who, "") for who in ("owner", "admin")}
    seen = 0
    for name in READS:
        who = next((who for who in callers if TABLE[name].expected[who] == 200), None)
        if who:  # else there is no answer with a body
            assert_told(name, callers[who], (TABLE[name].path or name[4:]).format_map(places))
            seen += 1
    assert seen > 70


def assert_told(name, client, path):
    answer = client.get(path)
    kind, etag = answer.headers["Cache-Control"], answer.headers.get("ETag")
    assert {"Accept", "Accept-Encoding", "Authorization"} <= set(answer.headers["Vary"].split(", "))
    assert kind == PUBLIC.get(name, SECRET if name in UNSTORED else PRIVATE), name
    if kind != SECRET:
        assert re.fullmatch(r'"[^"]+"', etag), f"{name}: a strong validator"
        again = client.get(path, headers={"If-None-Match": etag})
        assert (again.status_code, again.data) == (304, b""), name
        # RFC 9110, 15.4.5: what a 200 would have sent
        assert [again.headers.get(header) for header in ("ETag", "Cache-Control")] == [etag, kind]
        assert set(again.headers["Vary"].split(", ")) == set(answer.headers["Vary"].split(", "))


def test_what_is_public_is_the_same_for_everybody(scene):
    places = Places(scene)
    for name in PUBLIC:
        assert len({ask(scene, name, who, places).data for who in WHO}) == 1, name


@pytest.fixture
def assets(client):
    """The paths of the files of the page of the documentation."""
    return re.findall(r'(?:src|href)="(/docs/assets/[^"]+)"', client.get("/docs").text)


def test_the_files_of_the_documentation_are_never_asked_for_twice(client, assets):
    assert len(assets) == 5
    for path in assets:
        answer = client.get(path)
        assert (answer.status_code, answer.headers["Cache-Control"]) == (200, IMMUTABLE)
        assert re.search(r"/assets/([0-9.]+|[0-9a-f]{16,})/", path), "its path changes with its content"
        again = client.get(path, headers={"If-None-Match": answer.headers["ETag"]})
        assert (again.status_code, again.headers["Cache-Control"]) == (304, IMMUTABLE)


def test_public_files_are_compressed_once_and_private_answers_are_not_kept(client, scene, assets, own_process):
    path = next(path for path in assets if path.endswith("bundle.js"))
    headers = {"Accept-Encoding": "br"}
    first = client.get(path, headers=headers)
    kept = len(compress.cache._kept)
    again = client.get(path, headers=headers)
    assert first.headers["Content-Encoding"] == "br"
    assert brotli.decompress(first.data) == brotli.decompress(again.data) == client.get(path).data
    tag = first.headers["ETag"]
    assert client.get(path, headers=headers | {"If-None-Match": tag}).status_code == 304
    for _ in range(2):
        assert scene.owner.get("/api/v1/projects?limit=200", headers=headers).status_code == 200
    assert len(compress.cache._kept) == kept >= 1
