"""`taskmanager up`: the whole service on one machine, under a supervisor, until a signal."""

import os
import secrets
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import FrameType

import taskmanager
from taskmanager.core.child import wrap
from taskmanager.core.configuration.settings import Settings
from taskmanager.core.errors import Misconfigured
from taskmanager.embedded import mail_sink, mongod, ports, valkey
from taskmanager.embedded.server import EmbeddedServer, tail
from taskmanager.embedded.supervision import Program, Supervisor
from workers import stopping
from workers.data_folder import PRIVATE, DataFolder
from workers.local_url import local_url
from workers.source_watch import SourceWatch

ROOT = Path(taskmanager.__file__).resolve().parents[1]
REPORT_SECONDS = 15.0
WATCH_EVERY_SECONDS = 1.0
CREATED = "created"  # what the command `bootstrap-admin` prints
# The setting that replaces each embedded server.
SETTINGS = {"mongodb": "mongodb_uri", "queue": "queue_url", "cache": "cache_url", "mail": "mail_url"}

# Without the proxies of the environment, which cannot reach this machine.
_http = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Stopped(BaseException):
    """The user pressed Ctrl-C, ran `make stop` or closed the terminal."""


def up(settings: Settings) -> None:
    """Run all processes until a signal. Raises Misconfigured when they cannot start."""
    _occupy_standard_streams()
    _stop_on_signals()
    with suppress(Stopped), DataFolder(settings.data_dir) as folder:
        _Service(settings, folder).run()


def stop(settings: Settings) -> bool:
    """Stop the service that runs on this data folder and wait for its end; return False when none runs."""
    folder = DataFolder(settings.data_dir)
    owner = folder.owner()
    if owner is None:
        return False
    os.kill(owner, signal.SIGTERM)
    if not _wait(lambda: folder.owner() != owner, 20):
        raise Misconfigured(f"Process {owner} has not ended within 20 s: 'kill -9 {owner}' ends it and all it started.")
    return True


class _Service:
    """One run of the service: its embedded servers and its processes."""

    def __init__(self, settings: Settings, folder: DataFolder) -> None:
        self.settings, self.folder = settings, folder
        self.servers: dict[str, EmbeddedServer] = {}
        self.environment = dict(os.environ)
        self.supervisor = Supervisor([], run=folder.run, logs=folder.logs, root=ROOT)

    def run(self) -> None:
        """Start all processes in order, watch them, and stop them at the end."""
        try:
            self.supervisor.end_orphan()
            _require_free_port(self.settings)
            self._prepare()
            self._start()
            self._watch()
        finally:
            _ignore_signals()
            self.supervisor.stop()

    def _prepare(self) -> None:
        """Choose servers and ports, and pass them to all processes by the environment."""
        self.servers = _servers(self.settings, self.folder)
        for server in self.servers.values():
            server.end_orphan()
        addresses = {SETTINGS[name]: server.uri for name, server in self.servers.items()}
        self.folder.note_addresses(addresses)
        self.environment |= {f"TASKMANAGER_{name.upper()}": uri for name, uri in addresses.items()} | {
            "TASKMANAGER_DATA_DIR": str(self.folder.path),
            "TASKMANAGER_RELOAD": str(self.settings.reload).lower(),
            "TASKMANAGER_STREAM_PORT": str(_stream_port(self.settings)),
            "PYTHONUNBUFFERED": "1",
        }
        self.supervisor.programs = _programs(self.settings, self.servers)

    def _start(self) -> None:
        print("Starting …", flush=True)
        self.supervisor.start(self.environment)
        for name, server in self.servers.items():
            self._wait_for(name, server.answers)
        self._command("migrations", "-m", "migrations")
        password = self._bootstrap_admin()
        self.supervisor.start_app()
        self._wait_for("web", self._is_ready)
        print(_banner(self.settings, self.folder, self.servers, password), flush=True)

    def _wait_for(self, name: str, condition: Callable[[], bool]) -> None:
        """Wait until `condition` holds, for at most `start_seconds` of the settings.

        Raises Misconfigured after that time, and as soon as the supervisor has given up a process.
        """
        began, report_at, limit = time.monotonic(), REPORT_SECONDS, self.settings.start_seconds
        while not condition():
            for culprit in self.supervisor.failed():
                raise Misconfigured(f"The process '{culprit}' did not start. {self._end_of_log(culprit)}")
            waited = time.monotonic() - began
            if waited > limit:
                late = f"The process '{name}' is still starting after {limit} s (TASKMANAGER_START_SECONDS)."
                raise Misconfigured(f"{late} {self._end_of_log(name)}")
            if waited > report_at:
                report_at += REPORT_SECONDS
                print(f"Still starting '{name}' ({waited:.0f} s) …", flush=True)
            time.sleep(0.1)

    def _end_of_log(self, name: str) -> str:
        log = self.supervisor.log_of(name)
        return tail(log, 15) or f"Its log is {log}."

    def _is_ready(self) -> bool:
        states = self.supervisor.states()
        return bool(states) and set(states.values()) == {"RUNNING"} and _responds_ready(self.settings)

    def _command(self, name: str, *arguments: str, **variables: str) -> str:
        """Run one command to its end, and write its output to a log; return the output. Raises Misconfigured."""
        log = self.supervisor.log_of(name)
        step = subprocess.run(  # noqa: S603 - our own command line
            wrap([sys.executable, *arguments]),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=ROOT,
            env=self.environment | variables,
            check=False,
        )
        log.write_bytes(step.stdout)
        if step.returncode:
            raise Misconfigured(f"The step '{name}' failed. {tail(log, 15)}")
        return step.stdout.decode(errors="replace")

    def _bootstrap_admin(self) -> str:
        """Create the first administrator; return the banner's text about the password, which contains a new one.

        The note is written before the account, so that the password of an account is never lost.
        """
        if self.settings.admin_password.get_secret_value():
            self._command("admin", "-m", "workers.cli", "bootstrap-admin")
            return "password of TASKMANAGER_ADMIN_PASSWORD, unless it was changed since"
        note = self.folder.admin_note
        noted = _noted_password(note)
        password = noted or _note_password(note, self.settings.admin_email)
        words = self._command("admin", "-m", "workers.cli", "bootstrap-admin", TASKMANAGER_ADMIN_PASSWORD=password)
        if CREATED in words.split():
            return f"password {password} (stored in {note})"
        if noted:
            return f"password in {note}, unless it was changed since"
        note.unlink()  # an account that existed before has another password
        return "password as it was set: 'taskmanager users reset-password' sets another"

    def _watch(self) -> None:
        """Until a signal, restart processes that supervisord has given up, and reload when the source changes."""
        source = SourceWatch(ROOT) if self.settings.reload else None
        reported: set[str] = set()
        while True:
            time.sleep(WATCH_EVERY_SECONDS)
            failing = set(self.supervisor.revive())
            for name in failing - reported:
                print(f"The process '{name}' keeps failing: see {self.supervisor.log_of(name)}.", flush=True)
            reported |= failing
            if source and source.changed():
                self.supervisor.restart_app(*(p.name for p in self.supervisor.programs if p.reload))


def _servers(settings: Settings, folder: DataFolder) -> dict[str, EmbeddedServer]:
    """Return the embedded servers; a setting that names another server replaces one."""
    path = folder.path
    makers: dict[str, Callable[[], EmbeddedServer]] = {
        "mongodb": lambda: mongod.MongodServer(path / "mongodb"),
        "queue": lambda: valkey.ValkeyServer(path / "queue", role="queue"),
        "cache": lambda: valkey.ValkeyServer(path / "cache", role="cache"),
        "mail": lambda: mail_sink.MailSink(folder.run / "mail", mails=folder.mails),
    }
    return {name: make() for name, make in makers.items() if SETTINGS[name] not in settings.model_fields_set}


def _programs(settings: Settings, servers: dict[str, EmbeddedServer]) -> list[Program]:
    python, count = sys.executable, settings.worker_processes
    web = [python, "-m", "gunicorn", "-c", "python:config.gunicorn", "--graceful-timeout", "4", "wsgi:app"]
    taskmanager = [python, "-m", "workers.cli"]
    workers = ["worker"] if count == 1 else [f"worker-{number}" for number in range(1, count + 1)]
    return [
        *(Program(name, server.guarded, "servers", 4) for name, server in servers.items()),
        Program("web", wrap(web)),
        Program("relay", wrap([*taskmanager, "relay"]), reload=True),
        *(Program(name, wrap([*taskmanager, "worker"]), reload=True) for name in workers),
        Program("scheduler", wrap([*taskmanager, "scheduler"]), reload=True),
        Program("stream", wrap([*taskmanager, "stream"]), reload=True),
    ]


def _stream_port(settings: Settings) -> int:
    """Return the port of the stream: that of the settings, else the one after the API's, or another that is free."""
    if "stream_port" in settings.model_fields_set:
        return settings.stream_port
    following = min(settings.port + 1, 65_535)
    return following if ports.is_free(following, settings.host) else ports.choose(settings.host)


def _require_free_port(settings: Settings) -> None:
    host, port = settings.host, settings.port
    try:
        ports.bind(host, port)
    except OSError as error:
        raise Misconfigured(
            f"Cannot listen on {host} port {port} ({error.strerror}): "
            f"free it, or choose another with TASKMANAGER_PORT (the address is TASKMANAGER_HOST)."
        ) from None


def _responds_ready(settings: Settings) -> bool:
    try:
        with _http.open(f"{local_url(settings)}/health/ready", timeout=3) as response:
            return bool(response.status == 200)
    except (OSError, urllib.error.URLError):
        return False


def _noted_password(note: Path) -> str | None:
    if not note.exists():
        return None
    fields = dict(line.split(": ", 1) for line in note.read_text().splitlines() if ": " in line)
    return fields.get("password")


def _note_password(note: Path, email: str) -> str:
    password = secrets.token_urlsafe(15)
    note.touch(PRIVATE)
    note.write_text(f"email: {email}\npassword: {password}\n")
    return password


def _banner(settings: Settings, folder: DataFolder, servers: dict[str, EmbeddedServer], password: str) -> str:
    url = settings.public_url.rstrip("/") or local_url(settings)
    lines = {
        "API": f"{url}/docs (Swagger UI)",
        "Admin": f"{settings.admin_email}, {password}",
        "Mail": f"{folder.mails}/*.eml" if "mail" in servers else "sent by the server of TASKMANAGER_MAIL_URL",
        "Logs": str(settings.log_file or f"{folder.logs}/*.log"),
        "Stop": "Ctrl-C here, or 'make stop'",
    }
    return "\nThe service is ready.\n\n" + "\n".join(f"  {name:6} {text}" for name, text in lines.items())


def _wait(condition: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def _occupy_standard_streams() -> None:
    """Open closed standard streams: otherwise the next open file would get their number, and their output."""
    while os.open(os.devnull, os.O_RDWR) <= 2:
        pass


def _stop_on_signals() -> None:
    """Stop on signals, also when a shell lets a background job ignore Ctrl-C; `nohup` is respected."""
    stopping.ignore_sigusr1()
    for sign in (signal.SIGINT, signal.SIGTERM):
        signal.signal(sign, _raise_stopped)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        signal.signal(signal.SIGHUP, _raise_stopped)


def _raise_stopped(number: int, frame: FrameType | None) -> None:
    print("\nStopping …", flush=True)
    raise Stopped


def _ignore_signals() -> None:
    """Ignore signals while the processes are stopped, so that a second Ctrl-C leaves none of them behind."""
    for sign in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(sign, signal.SIG_IGN)
