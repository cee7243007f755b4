"""`make backup-test`: a service is backed up under load by its command, and restored into another installation.

Clients create tasks and comments while the command runs. Everything that was acknowledged before it began has to be in
the restored service, where logins, sessions, access tokens and links of former mails work. Prints figures; the exit
status is 1 when something is missing.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import ExitStack
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests

from tests.faults.conftest import serving
from tests.faults.stack import ROOT, Stack, eventually
from tests.faults.web_client import WebClient

PASSPHRASE = "correct horse battery staple"
_ROUTES: dict[str, tuple[str, dict[str, str]]] = {
    "/pages/confirm": ("/api/v1/auth/verify-email", {}),
    "/pages/reset": ("/api/v1/auth/password-reset/confirm", {"password": "another horse battery staple"}),
}
_LINK = re.compile(r"(https?://\S+)\?token=([\w.~%-]+)")
_AFTER_SECONDS = 2.0


class Client:
    """One user, who writes again and again; what was acknowledged is kept with its time."""

    def __init__(self, url: str, number: int) -> None:
        self.web = WebClient(url).register()
        made = self.web.send("POST", "/api/v1/projects", {"name": "Load", "key": f"LOAD{number}"})
        self.project = made.body["id"]
        self.acknowledged: list[tuple[float, str]] = []
        self.others = 0  # writes that were not acknowledged

    def write(self) -> None:
        """Create a task, and a comment on it."""
        made = self.web.send("POST", f"/api/v1/projects/{self.project}/tasks", {"title": "under load"})
        if not self._note(made.status, made.headers.get("Location", "")):
            return
        path = urlsplit(made.headers["Location"]).path
        said = self.web.send("POST", f"{path}/comments", {"text": "a comment"})
        self._note(said.status, said.headers.get("Location", ""))

    def _note(self, status: int, location: str) -> bool:
        if status == 201:
            self.acknowledged.append((time.monotonic(), urlsplit(location).path))
        else:
            self.others += 1
        return status == 201


class Links:
    """What a user holds from before the backup, and what it must still do afterwards."""

    def __init__(self, service: Stack) -> None:
        self._web = client = WebClient(service.url).register()
        made = client.send("POST", "/api/v1/projects", {"name": "Links", "key": "LINK"})
        path = f"/api/v1/projects/{made.body['id']}/share-links"
        self._shared = client.send("POST", path, {"role": "commenter"}).body["token"]
        self._calendar = urlsplit(client.send("PUT", "/api/v1/users/me/calendar").body["url"])
        self._refresh = client.login().body["refresh_token"]
        client.send("POST", "/api/v1/auth/password-reset", {"email": client.email})
        eventually(lambda: len(self._mailed(service)) == len(_ROUTES), "the mails with links")
        self._tokens = self._mailed(service)

    def _mailed(self, service: Stack) -> dict[str, str]:
        """Return {path of the page: the token} of the links in mails to the user."""
        found = {}
        for path in sorted(service.mails.glob(f"*_{self._web.email}_*.eml")):
            body = message_from_bytes(path.read_bytes(), policy=policy.default).get_body(("plain",))
            text = str(body.get_content()) if body else ""
            found |= {urlsplit(url).path: token for url, token in _LINK.findall(text)}
        return {path: token for path, token in found.items() if path in _ROUTES}

    def used_at(self, url: str) -> dict[str, int]:
        """Use each once at another service; return {what: its status}."""
        again = self._web.at(url)
        calendar = f"{url}{self._calendar.path}?{self._calendar.query}"
        found = {
            "access token": again.get("/api/v1/users/me").status,
            "login": again.login().status,
            "session": again.send("POST", "/api/v1/auth/refresh", {"refresh_token": self._refresh}).status,
            "share link": again.send("POST", "/api/v1/share-links/open", {"token": self._shared}).status,
            "calendar link": requests.get(calendar, timeout=60).status_code,
        }
        for path, token in self._tokens.items():
            route, more = _ROUTES[path]
            found[f"link of a mail: {path}"] = again.send("POST", route, {"token": token} | more).status
        return found


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description="Backup under load, and restore elsewhere")
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=10.0, help="of load before the backup")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, ExitStack() as context:
        sys.exit(_run(Path(folder), options, context))


def _run(folder: Path, options: argparse.Namespace, context: ExitStack) -> int:
    limits = {"ratelimit_enabled": False}
    first, second = (Stack(folder / name, **limits) for name in ("first", "second"))
    for stack in (first, second):
        context.callback(stack.stop)
        stack.start_servers()
    first.migrate()
    serving(first, "relay", "worker")
    links = Links(first)
    clients = [Client(first.url, number) for number in range(options.clients)]
    passphrase, file = folder / "passphrase", folder / "backup.tar.gz"
    passphrase.write_text(PASSPHRASE)
    with _Load(clients):
        time.sleep(options.seconds)  # no condition: the load itself
        began = time.monotonic()
        made = _command(first, "backup", str(file), "--passphrase-file", str(passphrase))
        took = time.monotonic() - began
        time.sleep(_AFTER_SECONDS)  # no condition: writes after the backup, which it must not have
    written = [row for client in clients for row in client.acknowledged]
    before = {path for at, path in written if at < began}
    during = sum(began <= at < began + took for at, _ in written)
    _say(f"load         {options.clients} clients; {len(before) / options.seconds:.0f} writes/s before, "
         f"{during / took:.0f} during the backup; {sum(one.others for one in clients)} not acknowledged")  # fmt: skip
    _say(f"backup       {made['documents']} documents, {file.stat().st_size:,} bytes, {took:.1f} s with the start")
    first.stop()

    began = time.monotonic()
    problems = _command(second, "restore", str(file), "--passphrase-file", str(passphrase))
    _say(f"restore      {time.monotonic() - began:.1f} s; verify found {sum(map(len, problems.values()))} problems")
    serving(second, "relay", "worker")
    missing = {path for client in clients for path in _missing(client, second.url, before)}
    _say(f"acknowledged {len(before)} before the backup began, {len(missing)} of them missing")
    used = links.used_at(second.url)
    for what, status in used.items():
        _say(f"             {what}: {status}")
    lost = [what for what, status in used.items() if status not in (200, 204)]
    return int(bool(missing or lost or any(problems.values()) or len(used) != 7))


class _Load:
    """Lets the clients write within a block, each in a thread."""

    def __init__(self, clients: list[Client]) -> None:
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._work, args=[client]) for client in clients]

    def _work(self, client: Client) -> None:
        while not self._over.is_set():
            client.write()

    def __enter__(self) -> None:
        for thread in self._threads:
            thread.start()

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()


def _command(stack: Stack, *words: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "workers.cli", *words, "--json"]
    ran = subprocess.run(command, cwd=ROOT, env=stack.environment(), capture_output=True, text=True, check=False)
    if ran.returncode:
        raise SystemExit(f"{words[0]}: {ran.stdout}{ran.stderr}")
    found: dict[str, Any] = json.loads(ran.stdout)
    return found


def _missing(client: Client, url: str, before: set[str]) -> list[str]:
    same = client.web.at(url)
    return [path for _, path in client.acknowledged if path in before and same.get(path).status != 200]


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    main()
