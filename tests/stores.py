"""Real Valkeys in groups: a primary with a replica and three Sentinels, and a cluster of three primaries."""

from pathlib import Path

import redis

from taskmanager.embedded import ports
from taskmanager.embedded.ports import LOCALHOST
from taskmanager.embedded.valkey import Role, ValkeyServer
from tests.faults.stack import eventually

SERVICE = "tasks"
USER, PASSWORD = "service", "p4ss:w/rd"
ESCAPED = "service:p4ss%3Aw%2Frd"
ACL = [
    "--user",
    USER,
    "on",
    f">{PASSWORD}",
    "~rq:*",
    "~tm:*",
    "~LIMITS:*",
    "&rq:*",
    "+@all",
    "-@dangerous",
    "+info",
    "+client",
]


class GroupedValkey(ValkeyServer):
    """A Valkey with more options."""

    def __init__(self, data_dir: Path, *more: str, role: Role = "queue") -> None:
        super().__init__(data_dir, role=role)
        self._more = more

    @property
    def command(self) -> list[str]:
        return [*super().command, *self._more]

    def answers(self) -> bool:
        try:
            with self.admin() as client:
                return bool(client.ping())
        except redis.RedisError:
            return False

    def admin(self) -> redis.Redis:
        return redis.Redis(port=self.port, socket_timeout=5)


class Sentinel(GroupedValkey):
    """A Sentinel, which watches the primary at `port_of_primary`."""

    def __init__(self, data_dir: Path, port_of_primary: int) -> None:
        super().__init__(data_dir)
        self.config = self.data_dir / "sentinel.conf"
        self.config.write_text(
            f"port {self.port}\nbind {LOCALHOST}\ndir {self.data_dir}\npidfile {self.data_dir / self.pid_file}\n"
            f"sentinel monitor {SERVICE} {LOCALHOST} {port_of_primary} 2\n"
            f"sentinel down-after-milliseconds {SERVICE} 800\n"
            f"sentinel failover-timeout {SERVICE} 3000\n"
        )

    @property
    def command(self) -> list[str]:
        return [super().command[0], str(self.config), "--sentinel"]


class Group:
    """A primary, a replica and three Sentinels. Clients need the user and the password that `url` has."""

    def __init__(self, folder: Path) -> None:
        self.primary = GroupedValkey(folder / "primary", *ACL)
        self.replica = GroupedValkey(folder / "replica", *ACL, "--replicaof", LOCALHOST, str(self.primary.port))
        self.sentinels = [Sentinel(folder / f"sentinel{number}", self.primary.port) for number in range(3)]

    @property
    def url(self) -> str:
        hosts = ",".join(f"{LOCALHOST}:{one.port}" for one in self.sentinels)
        return f"redis+sentinel://{ESCAPED}@{hosts}/{SERVICE}/0"

    def start(self) -> None:
        for one in (self.primary, self.replica, *self.sentinels):
            one.start()
        eventually(self._is_complete, "Sentinels that know each other, and the replica", seconds=60)

    def stop(self) -> None:
        for one in (*self.sentinels, self.replica, self.primary):
            one.stop(patience=0)

    def primary_port(self) -> int:
        """Return the port of the primary, by the first Sentinel."""
        with self.sentinels[0].admin() as client:
            return int(client.sentinel_get_master_addr_by_name(SERVICE)[1])

    def _is_complete(self) -> bool:
        found = []
        for one in self.sentinels:
            with one.admin() as client:
                found.append(client.sentinel_master(SERVICE))
        return all(state["num-slaves"] == 1 and state["num-other-sentinels"] == 2 for state in found)


class Cluster:
    """Three primaries, each with a third of the slots."""

    def __init__(self, folder: Path) -> None:
        options = ("--cluster-enabled", "yes", "--cluster-node-timeout", "1000", *ACL)
        self._buses = [ports.choose() for _ in range(3)]  # by default 10,000 above the port, where something may be
        self.nodes = [
            GroupedValkey(folder / f"node{number}", *options, "--cluster-port", str(bus), role="cache")
            for number, bus in enumerate(self._buses)
        ]

    @property
    def url(self) -> str:
        return f"redis+cluster://{ESCAPED}@" + ",".join(f"{LOCALHOST}:{one.port}" for one in self.nodes)

    def start(self) -> None:
        bounds = [0, 5461, 10923, 16384]
        for number, one in enumerate(self.nodes):
            one.start()
            with one.admin() as client:
                client.execute_command("CLUSTER", "ADDSLOTSRANGE", bounds[number], bounds[number + 1] - 1)
                client.execute_command("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
        for one in self.nodes[1:]:
            with one.admin() as client:
                client.execute_command("CLUSTER", "MEET", LOCALHOST, self.nodes[0].port, self._buses[0])
        eventually(lambda: all(map(self.is_ok, self.nodes)), "a cluster that is whole", seconds=60)

    def stop(self) -> None:
        for one in self.nodes:
            one.stop(patience=0)

    def is_ok(self, node: GroupedValkey) -> bool:
        """Return whether a node knows all nodes, and who has which slots."""
        with node.admin() as client:
            found = client.execute_command("CLUSTER", "INFO")
            text = (
                found
                if isinstance(found, dict)
                else dict(line.split(":", 1) for line in found.decode().split("\r\n") if line)
            )
        return text["cluster_state"] == "ok" and int(text["cluster_known_nodes"]) == 3
