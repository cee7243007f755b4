"""A real NGINX with the configuration that `taskmanager gateway render` makes."""

import os
import shutil
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import requests
from flask import Flask

from taskmanager.app import routing_app
from taskmanager.core.child import wrap
from taskmanager.core.configuration.gateway_settings import GatewaySettings
from taskmanager.core.configuration.settings import Settings, build
from taskmanager.embedded import ports
from taskmanager.gateway import rendering

_START_SECONDS, _STOP_SECONDS = 60, 20
_MODULES = Path("/usr/lib/nginx/modules")


def require() -> str:
    """Return the path of NGINX; skips the test when there is none."""
    found = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
    if not found:
        pytest.skip("no NGINX is installed (apt install nginx): the gateway was not tried")
    return found


def gateway_settings(folder: Path, **changes: Any) -> GatewaySettings:
    """Return settings with a folder for this NGINX, and limits that no test reaches unless it sets them."""
    return build(
        GatewaySettings,
        **{"folder": folder, "requests_per_second": 10_000, "burst": 10_000, "connections": 1_000}
        | {"access_log": folder / "access.log"}
        | changes,
    )


class Gateway:
    """NGINX in a folder of its own."""

    def __init__(self, settings: Settings, folder: Path, app: Flask | None = None, **changes: Any) -> None:
        folder.mkdir(exist_ok=True)
        self._binary, self.folder = require(), folder
        self.port = ports.choose()
        self.url = f"http://{ports.LOCALHOST}:{self.port}"
        given = gateway_settings(folder, listen=f"{ports.LOCALHOST}:{self.port}", **changes)
        self.config = folder / "nginx.conf"
        self.config.write_text(rendering.render(app or routing_app(settings), settings, given))
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start and wait until it responds."""
        with (self.folder / "error.log").open("ab") as log:
            self._process = subprocess.Popen(
                wrap([*self._command(), "-g", f"daemon off;{user()}"]),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        deadline = time.monotonic() + _START_SECONDS
        while not self._responds():
            assert self._process.poll() is None and time.monotonic() < deadline, self.log()
            time.sleep(0.05)

    def stop(self) -> None:
        """Stop it and wait for its end."""
        if self._process is not None:
            self._process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(_STOP_SECONDS)
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def log(self) -> str:
        """Return what NGINX has written of errors."""
        return (self.folder / "error.log").read_text()

    def _command(self) -> list[str]:
        return [self._binary, "-c", str(self.config), "-p", str(self.folder)]

    def _responds(self) -> bool:
        try:  # a port of TLS responds to plain HTTP, too
            return requests.get(f"{self.url}/.gateway/live", timeout=5).status_code in (200, 400)
        except requests.RequestException:
            return False


def user() -> str:
    """Return the directive for the user of NGINX: folders of tests are closed to all but their owner."""
    return "user root;" if os.geteuid() == 0 else ""


def modules() -> Path | None:
    """Return the folder of the module for brotli, if it is installed."""
    return _MODULES if (_MODULES / "ngx_http_brotli_filter_module.so").exists() else None
