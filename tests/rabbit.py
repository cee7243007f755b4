"""A real RabbitMQ in a folder of its own, for the plugin that publishes to it."""

import os
import shutil
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import pika
import pytest
from pika.exceptions import AMQPError

from taskmanager.core.child import wrap
from taskmanager.embedded.ports import LOCALHOST, choose

_BINARY = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
_CONFIG = "loopback_users = none\nvm_memory_high_watermark.absolute = 200MB\ndisk_free_limit.absolute = 50MB\n"


class RabbitServer:
    """One broker. It keeps its data when it is killed and started again."""

    def __init__(self, folder: Path) -> None:
        if not _BINARY.exists():
            pytest.skip("no RabbitMQ is installed (apt install rabbitmq-server): the plugin was not tried")
        self._folder, self.port, self._epmd = folder, choose(), choose()
        (folder / "rabbitmq.conf").write_text(_CONFIG)
        (folder / "plugins").write_text("[].")
        self._process: subprocess.Popen[bytes] | None = None
        self.url = f"amqp://guest:guest@{LOCALHOST}:{self.port}/%2F"

    def start(self) -> None:
        """Start and wait until it takes connections."""
        with (self._folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                wrap([str(_BINARY)]), env=self._environment(), stdout=log, stderr=log, start_new_session=True
            )
        deadline = time.monotonic() + 180
        while not self._responds():
            assert self._process.poll() is None and time.monotonic() < deadline, self._log()
            time.sleep(0.2)

    def kill(self) -> None:
        """End it with -9: what it has not written to its disk is lost."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

    def stop(self) -> None:
        """Kill it, and the daemon of Erlang that it has started."""
        self.kill()
        if epmd := shutil.which("epmd"):
            subprocess.run([epmd, "-port", str(self._epmd), "-kill"], capture_output=True, check=False)

    def _environment(self) -> dict[str, str]:
        names = {
            "MNESIA_BASE": "mnesia",
            "LOG_BASE": "log",
            "ENABLED_PLUGINS_FILE": "plugins",
            "CONFIG_FILE": "rabbitmq",
        }
        own = {f"RABBITMQ_{name}": str(self._folder / value) for name, value in names.items()}
        own |= {"RABBITMQ_NODENAME": f"t{self.port}@localhost", "RABBITMQ_NODE_IP_ADDRESS": LOCALHOST}
        own |= {"RABBITMQ_NODE_PORT": str(self.port), "RABBITMQ_DIST_PORT": str(choose())}
        own |= {"ERL_EPMD_PORT": str(self._epmd), "ERL_EPMD_ADDRESS": LOCALHOST, "HOME": str(self._folder)}
        # as on a small machine: by default each core waits busily
        return os.environ | own | {"RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+sbwt none"}

    def _responds(self) -> bool:
        try:
            pika.BlockingConnection(pika.URLParameters(self.url)).close()
        except (AMQPError, OSError):
            return False
        return True

    def _log(self) -> str:
        return (self._folder / "server.log").read_text()[-2000:]
