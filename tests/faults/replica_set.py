"""A replica set of three real mongods, whose members can be killed and started again."""

from pathlib import Path
from typing import Any

from pymongo import MongoClient
from pymongo.errors import PyMongoError

from taskmanager.embedded import mongod
from taskmanager.embedded.ports import LOCALHOST
from tests.faults.stack import eventually, kill

_START_SECONDS = 60
# A primary has one in a hundred reads repeated by secondaries, to warm their caches: tests count what a reader asks.
_MIRRORED_READS = "{samplingRate: 0.0}"


class Member(mongod.MongodServer):
    """One of several members: it is up when it answers, whatever its part in the set."""

    def answers(self) -> bool:
        try:
            with self.connect() as client:
                return bool(client.admin.command("ping")["ok"])
        except PyMongoError:
            return False

    def connect(self) -> "MongoClient[dict[str, Any]]":
        """A client of this very member."""
        return MongoClient(LOCALHOST, self.port, directConnection=True, timeoutMS=3000, serverSelectionTimeoutMS=500)

    def task_queries(self) -> int:
        """How many queries of tasks it has answered; a count of all queries has those of MongoDB itself, too."""
        with self.connect() as client:
            of_all = client.admin.command("top")["totals"]
            return int(of_all.get("taskmanager.tasks", {"queries": {"count": 0}})["queries"]["count"])

    def queries_naming(self, text: str) -> list[str]:
        """Return its answered queries of tasks that name `text`, since the first call, which begins to note them."""
        with self.connect() as client:
            database = client.taskmanager
            database.command("profile", 2)
            noted = database["system.profile"].find({"ns": "taskmanager.tasks", "op": {"$in": ["query", "command"]}})
            return [str(row) for row in noted if text in str(row["command"])]

    @property
    def is_primary(self) -> bool:
        try:
            with self.connect() as client:
                return bool(client.admin.command("hello").get("isWritablePrimary"))
        except PyMongoError:
            return False


class ReplicaSet:
    """Three members, in the place of one server. Which one is the primary is asked anew each time."""

    def __init__(self, folder: Path, *, election_ms: int = 8000, **parameters: str) -> None:
        self._election_ms = election_ms
        given = {"mirrorReads": _MIRRORED_READS} | parameters
        self.members = [Member(folder / f"member-{number}", **given) for number in range(3)]

    @property
    def uri(self) -> str:
        hosts = ",".join(member.host for member in self.members)
        return f"mongodb://{hosts}/taskmanager?replicaSet={mongod.REPLICA_SET}"

    pid = None  # it is no process: its members are

    def start(self, *, timeout: float = _START_SECONDS) -> None:
        """Start what does not run, and wait for a primary; the first time the members form a set."""
        for member in self.members:
            if member.pid is None:
                member.start(timeout=timeout)
        self._form()
        eventually(lambda: self.primary, "a primary", timeout)

    def stop(self, *, patience: float = 0) -> None:
        for member in self.members:
            member.stop(patience=patience)

    @property
    def primary(self) -> Member | None:
        return next((member for member in self.members if member.pid and member.is_primary), None)

    def secondaries(self) -> list[Member]:
        """The members that run beside the primary."""
        primary = self.primary
        return [member for member in self.members if member.pid and member is not primary]

    def settled(self) -> None:
        """Wait until there is a primary and all have what it has."""
        eventually(self._in_step, "members in step", _START_SECONDS)

    def kill(self, *members: Member) -> None:
        for member in members:
            kill(member)

    def _form(self) -> None:
        with self.members[0].connect() as client:
            config = {
                "_id": mongod.REPLICA_SET,
                "members": [{"_id": number, "host": member.host} for number, member in enumerate(self.members)],
                # Each follows the primary itself: one that lags holds up no other, and so no write.
                "settings": {"electionTimeoutMillis": self._election_ms, "chainingAllowed": False},
            }
            try:
                client.admin.command("replSetInitiate", config)
            except PyMongoError as error:
                assert "already initialized" in str(error), error

    def _in_step(self) -> bool:
        primary = self.primary
        if primary is None:
            return False
        with primary.connect() as client:
            members = client.admin.command("replSetGetStatus")["members"]
        newest = max(member["optimeDate"] for member in members)
        return all(
            member["health"] and member["state"] in (1, 2) and newest == member["optimeDate"] for member in members
        )
