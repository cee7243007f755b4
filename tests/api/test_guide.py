"""The site of the documentation: `make docs` builds the real one, which `tests/browser/test_guide.py` reads."""

import os
import zipfile

import pytest

from taskmanager.api import guide
from tests.packaging.building import ROOT

FILES = {
    "index.html": "<h1>Start</h1>" + "<p>Words.</p>" * 100,
    "picture.svg": "<svg><path/></svg>" * 100,
    "api/index.html": "<h1>The API</h1>",
    "assets/javascripts/bundle.a5f9d56c.min.js": "let found;" * 200,
    "search/search_index.json": "{}",
}


@pytest.fixture
def site(monkeypatch, tmp_path):
    archive = tmp_path / "guide.zip"
    with zipfile.ZipFile(archive, "w") as file:
        for name, text in FILES.items():
            file.writestr(name, text)
    monkeypatch.setattr(guide, "ARCHIVE", archive)


def test_a_folder_has_a_page_and_a_slash(site, client):
    for path, target in (("", "/"), ("/api", "/api/")):
        answer = client.get(f"/docs/guide{path}")
        assert (answer.status_code, answer.headers["Location"]) == (308, f"/docs/guide{target}")
    for path, title in (("/", "Start"), ("/index.html", "Start"), ("/api/", "The API"), ("/api/index.html", "The API")):
        answer = client.get(f"/docs/guide{path}")
        assert (answer.status_code, answer.content_type) == (200, "text/html; charset=utf-8") and title in answer.text
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy and "unsafe" not in policy and "http" not in policy
        again = client.get(f"/docs/guide{path}", headers={"If-None-Match": answer.headers["ETag"]})
        assert (again.status_code, again.data, answer.headers["Cache-Control"]) == (304, b"", "public, no-cache")


def test_files_are_kept_for_ever_only_when_their_content_is_in_their_name(site, client):
    script = client.get("/docs/guide/assets/javascripts/bundle.a5f9d56c.min.js", headers={"Accept-Encoding": "gzip"})
    assert "immutable" in script.headers["Cache-Control"] and script.headers["Content-Encoding"] == "gzip"
    assert script.content_type == "text/javascript; charset=utf-8"
    assert client.get("/docs/guide/search/search_index.json").headers["Cache-Control"] == "public, no-cache"


@pytest.mark.parametrize("coding", ["gzip", "br", "zstd"])
@pytest.mark.parametrize("path", ["/docs/guide/", "/docs/guide/picture.svg", "/docs", "/docs/errors", "/"])
def test_what_is_the_same_for_everybody_is_compressed(site, client, path, coding):
    headers = {"Accept": "text/html, image/*", "Accept-Encoding": coding}
    answer, plain = client.get(path, headers=headers), client.get(path, headers={"Accept": "text/html, image/*"})
    assert (answer.status_code, answer.headers["Content-Encoding"]) == (200, coding)
    assert len(answer.data) < len(plain.data) and "Content-Encoding" not in plain.headers
    assert "Accept-Encoding" in answer.headers["Vary"] and "Accept-Encoding" in plain.headers["Vary"]
    again = client.get(path, headers=headers | {"If-None-Match": answer.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")


@pytest.mark.parametrize("path", ["/pages/login", "/pages/register", "/pages/forgotten-password", "/ops/login"])
def test_pages_with_a_token_in_a_form_are_not(client, path):
    answer = client.get(path, headers={"Accept": "text/html", "Accept-Encoding": "gzip, br, zstd"})
    assert answer.status_code == 200 and 'type="hidden"' in answer.text and len(answer.data) > 500
    assert "Content-Encoding" not in answer.headers and answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    "name", ["nothing", "api/nothing/", "../guide.py", "%2e%2e/guide.py", "/etc/passwd", "api//", "%00"]
)
def test_there_is_nothing_else(site, client, name):
    answer = client.get(f"/docs/guide/{name}")
    assert (answer.status_code, answer.json["code"]) == (404, "http.not_found")


@pytest.mark.parametrize("bytes_there", [None, 0, 300])
def test_a_checkout_says_how_to_build_it(site, client, bytes_there):
    if bytes_there is None:
        guide.ARCHIVE.unlink()
    else:
        os.truncate(guide.ARCHIVE, bytes_there)
    answer = client.get("/docs/guide/")
    assert answer.status_code == 200 and "make docs" in answer.text
    assert client.get("/docs/guide/api/").status_code == 404


def test_the_documentation_page_the_errors_and_the_information_lead_to_it(client):
    for path in ("/docs", "/docs/errors", "/docs/errors/not_found"):
        assert 'href="/docs/guide/"' in client.get(path).text, path
    assert client.get("/api/v1/info").json["links"]["guide"] == "http://localhost/docs/guide/"
    assert "/docs/guide/" in client.get("/", headers={"Accept": "text/html"}).text
    assert "/docs/guide/" in (ROOT / "README.md").read_text()
