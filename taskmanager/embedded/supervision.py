"""Runs the processes of one machine under supervisord: it starts, restarts and stops them, and writes their logs."""

import shlex
import shutil
import subprocess
import sys
import tempfile
import xmlrpc.client
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from supervisor.xmlrpc import SupervisorTransport

from taskmanager.core.child import wrap
from taskmanager.core.errors import Misconfigured
from taskmanager.embedded import processes

# supervisord stops the groups by descending priority, so that the app ends before its database.
_PRIORITY = {"servers": 10, "app": 20}
_MAX_SOCKET_PATH_BYTES = 100
_GONE = (OSError, xmlrpc.client.Error, ValueError)

_PROGRAM = """\
[program:{name}]
command={command}
autostart={autostart}
autorestart=true
startsecs=1
startretries=3
stopwaitsecs={stop_seconds}
killasgroup=true
redirect_stderr=true
stdout_logfile={logs}/{name}.log
stdout_logfile_maxbytes=10MB
stdout_logfile_backups=2
environment={environment}
"""

_SUPERVISORD = """\
[supervisord]
nodaemon=true
silent=true
logfile={logs}/supervisord.log
logfile_backups=2
pidfile={run}/supervisord.pid
[unix_http_server]
file={socket}
chmod=0600
[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface
"""


@dataclass(frozen=True)
class Program:
    """A supervised process. The group `servers` starts at once and stops last, `app` starts by `start_app`."""

    name: str
    command: list[str]
    group: Literal["servers", "app"] = "app"
    stop_seconds: int = 5
    reload: bool = False  # restart when the source changes; the web server watches the source itself


class Supervisor:
    """supervisord as a child that ends with this process, controlled by a private Unix socket."""

    def __init__(self, programs: Iterable[Program], *, run: Path, logs: Path, root: Path) -> None:
        self.programs = list(programs)
        self.run, self.logs, self.root = run, logs, root
        self._config = run / "supervisord.conf"
        self._private: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def end_orphan(self) -> None:
        """Stop the supervisor of a killed run, and with it all its processes."""
        pid = processes.recorded(self.run / "supervisord.pid", folder=self.run)
        if pid:
            processes.end(pid, patience=12)

    def start(self, environment: dict[str, str]) -> None:
        """Start supervisord and the servers. They inherit `environment`, so that no file contains a secret."""
        self._config.write_text(self._render())
        command = [sys.executable, "-m", "supervisor.supervisord", "-c", str(self._config)]
        with (self.logs / "supervisord.log").open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own command line
                wrap(command),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.root,
                env=environment,
                start_new_session=True,  # only this process gets Ctrl-C, and stops the others in order
            )

    def start_app(self) -> None:
        """Start the group `app`, which needs the servers."""
        self._call("startProcessGroup", "app", False)

    def stop(self) -> None:
        """Stop all processes, the group `app` first."""
        if self._process is not None:
            processes.end(self._process.pid, patience=12)
            self._process.wait()
            self._process = None
        if self._private:
            shutil.rmtree(self._private, ignore_errors=True)

    def restart_app(self, *names: str) -> None:
        """Restart these processes, for example because their source has changed."""
        for name in names:
            with suppress(*_GONE):
                self._call("stopProcess", f"app:{name}")
                self._call("startProcess", f"app:{name}", False)

    def states(self) -> dict[str, str]:
        """Return {process: supervisord's state, such as RUNNING}. Raises Misconfigured when supervisord has ended."""
        if self._process is None or self._process.poll() is not None:
            raise Misconfigured(f"The supervisor has ended: see {self.logs / 'supervisord.log'}.")
        try:
            return {info["name"]: info["statename"] for info in self._call("getAllProcessInfo")}
        except _GONE:
            return {}  # it has not opened its socket yet

    def failed(self) -> list[str]:
        """Return the names of the processes that supervisord has given up."""
        return [name for name, state in self.states().items() if state == "FATAL"]

    def revive(self) -> list[str]:
        """Start the failed processes again, because their servers may be available again; return their names."""
        names = self.failed()
        groups = {program.name: program.group for program in self.programs}
        for name in names:
            with suppress(*_GONE):
                self._call("startProcess", f"{groups[name]}:{name}", False)
        return names

    def log_of(self, name: str) -> Path:
        """Return the file with the output of a process."""
        return self.logs / f"{name}.log"

    def _call(self, method: str, *arguments: Any) -> Any:
        transport = SupervisorTransport(None, None, f"unix://{self._socket()}")
        with xmlrpc.client.ServerProxy("http://localhost", transport=transport) as proxy:
            return getattr(proxy.supervisor, method)(*arguments)

    def _socket(self) -> Path:
        """Return the path of the socket: in the data folder, or in a temporary one when that path is too long."""
        if len(str(self.run)) < _MAX_SOCKET_PATH_BYTES - 20:
            return self.run / "supervisor.sock"
        self._private = self._private or Path(tempfile.mkdtemp(prefix="taskmanager-"))
        return self._private / "supervisor.sock"

    def _render(self) -> str:
        return "\n".join(self._sections())

    def _sections(self) -> Iterator[str]:
        yield _SUPERVISORD.format(logs=_literal(self.logs), run=_literal(self.run), socket=_literal(self._socket()))
        for group, priority in _PRIORITY.items():
            names = ",".join(program.name for program in self.programs if program.group == group)
            if names:
                yield f"[group:{group}]\nprograms={names}\npriority={priority}\n"
        yield from map(self._section, self.programs)

    def _section(self, program: Program) -> str:
        server = program.group == "servers"
        return _PROGRAM.format(
            name=program.name,
            command=_literal(shlex.join(program.command)),
            autostart=str(server).lower(),
            stop_seconds=program.stop_seconds,
            logs=_literal(_literal(self.logs)),  # supervisord expands this option twice
            environment='LC_ALL="C"' if server else "",
        )


def _literal(text: object) -> str:
    """Return a value with each percent sign doubled, because supervisord replaces %(names)s in values."""
    return str(text).replace("%", "%%")
