"""A real browser on the real server; tests are skipped where there is none."""

import functools
import shutil
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from flask import Flask

from taskmanager.core.configuration.settings import Settings
from tests.web_server import StreamServer, WebServer

_ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
# Tells of what the policy refused: not every refusal is a message on the console.
_REPORT = (
    "addEventListener('securitypolicyviolation', e => console.error('policy:', e.violatedDirective, e.blockedURI))"
)


class Watched:
    """A page, with what went wrong on it and whom it asked; a stream that does not run is neither."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self.problems: list[str] = []
        self.hosts: set[str] = set()
        page.add_init_script(_REPORT)
        page.on("console", self._hear)
        page.on("pageerror", lambda error: self.problems.append(str(error)))
        page.on("requestfailed", self._miss)
        page.on("request", self._ask)

    def _ask(self, request: Any) -> None:
        if not _is_stream(request.url):
            self.hosts.add(urlsplit(request.url).netloc)

    def _miss(self, request: Any) -> None:
        # What the script of a live page fetches is broken off when the user goes to another page.
        is_left = request.resource_type == "fetch" and request.failure == "net::ERR_ABORTED"
        if not is_left and not _is_stream(request.url):
            self.problems.append(f"failed: {request.url}")

    def _hear(self, message: Any) -> None:
        if message.type in ("error", "warning") and not _is_stream(message.location["url"]):
            self.problems.append(f"{message.type}: {message.text}")


def _is_stream(url: str) -> bool:
    return urlsplit(url).path == "/api/v1/stream"


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Chromium of the system: playwright's own would be a download."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        pytest.skip("no Chromium on the PATH: apt-get install chromium")
    with playwright.sync_playwright() as tools:
        browser = tools.chromium.launch(executable_path=path, args=_ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of another server, which has one page."""
    folder = tmp_path_factory.mktemp("page")
    (folder / "index.html").write_text("<!doctype html><link rel=icon href=data:,><title>An application</title>")
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(SimpleHTTPRequestHandler, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def shared(app: Flask, settings: Settings, elsewhere: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A service with a process for the stream, whose API pages of `localhost` may use.

    It ends with its module: its processes read the database of the tests all the time, also what others make fail.
    """
    folder: Path = tmp_path_factory.mktemp("gunicorn")
    stream = StreamServer(settings, folder / "stream")
    server = WebServer(
        settings,
        folder / "log",
        cors_origins=f"https://*.example.org, http://localhost:{elsewhere}",
        stream_url=stream.url,
        web_processes=1,
    )
    server.stream = stream
    try:
        for one in (stream, server):
            one.start(wait=False)
        for one in (stream, server):
            one.wait()
        yield server
    finally:
        server.stop()
        stream.stop()


@pytest.fixture
def watched(browser: Any, server: WebServer, tmp_path: Path) -> Iterator[Watched]:
    """A new page; its base is the server."""
    context = browser.new_context(base_url=server.url, viewport={"width": 1280, "height": 1600})
    context.set_default_timeout(60_000)  # what is waited for comes much sooner, but for a busy machine
    yield Watched(context.new_page())
    context.close()
