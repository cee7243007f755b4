"""The services apart: a gunicorn for each, the process of the stream, and a gateway in front of them."""

from pathlib import Path
from typing import Any

import requests

from taskmanager.core.configuration.settings import Settings
from taskmanager.embedded import ports
from tests import web_server
from tests.faults.stack import eventually
from tests.gateway import nginx
from tests.workers.processes import Process

SERVICES = ("user", "task", "notification")
# What connects from here says which address its client has, as a load balancer before the gateway does.
PROXY = "127.0.0.2"


class Apart:
    """A process set of each service behind NGINX; `url` is the gateway's."""

    def __init__(self, settings: Settings, folder: Path, **changes: Any) -> None:
        nginx.require()
        self.servers = {
            service: web_server.WebServer(
                settings, folder / f"{service}.log", services=service, proxy_count=1, web_processes=1, **changes
            )
            for service in SERVICES
        }
        addresses = {f"{name}_servers": server.url.removeprefix("http://") for name, server in self.servers.items()}
        self._settings, self._stream_port = settings, ports.choose()
        self._stream: Process | None = None
        addresses["stream_servers"] = f"{ports.LOCALHOST}:{self._stream_port}"
        self.gateway = nginx.Gateway(
            settings, folder / "nginx", brotli_modules=nginx.modules(), trusted_proxies=PROXY, **addresses
        )
        self.url = self.gateway.url

    def start(self) -> None:
        """Start everything and wait until it is ready."""
        for server in self.servers.values():
            server.start(wait=False)
        self._stream = Process("stream", self._settings, stream_port=self._stream_port)
        for server in self.servers.values():
            server.wait()
        eventually(self._streams, "the process of the stream")
        self.gateway.start()

    def wait(self) -> None:
        """Wait until the gateway sends requests to each of them."""

        def respond() -> bool:
            answers = [requests.get(f"{self.url}/health/live", timeout=30).json() for _ in range(2 * len(SERVICES))]
            return {name for answer in answers for name in answer["services"]} == set(SERVICES)

        eventually(respond, "that the gateway uses each service")

    def _streams(self) -> bool:
        try:
            url = f"http://{ports.LOCALHOST}:{self._stream_port}/health/live"
            return requests.get(url, timeout=10).status_code == 200
        except requests.RequestException:
            return False

    def stop(self) -> None:
        """Stop everything."""
        self.gateway.stop()
        if self._stream is not None:
            self._stream.kill()
        for server in self.servers.values():
            server.stop()
