"""Leases in the cache store, which order the processes that write one document.

A lease is a hint: it expires when its holder dies, may be lost with the store, and is not needed for correctness,
because MongoDB decides which of two concurrent transactions commits. While the store is away there are no leases.
"""

import secrets
import time
from dataclasses import dataclass, field

from redis.exceptions import TimeoutError as RedisTimeoutError

from taskmanager.core.servers.stores import RedisError, cache_outage, cache_store

LEASE_SECONDS = 0.5  # a killed process delays the others for as long
_WAIT_SECONDS = 0.05  # then a process that waits asks whether the holder was killed; Valkey makes it up to 0.2
_QUEUED_MS = 2_000  # what a process that was killed leaves behind
_RESERVED_MS = 100  # the process whose turn it is takes the lease within this time, or loses its turn

# KEYS: the lease, the token of the process whose turn it is, the queue of the others; ARGV: the token of the caller,
# milliseconds. A process that waits does so at a list of its own, in which it finds an element when its turn comes.
_ACQUIRE = """
local turn = redis.call('GET', KEYS[2])
if redis.call('EXISTS', KEYS[1]) == 0 and (not turn or turn == ARGV[1]) then
  redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
  redis.call('DEL', KEYS[2])
  redis.call('LREM', KEYS[3], 0, ARGV[1])
  return 1
end
if turn ~= ARGV[1] and not redis.call('LPOS', KEYS[3], ARGV[1]) then redis.call('RPUSH', KEYS[3], ARGV[1]) end
redis.call('PEXPIRE', KEYS[3], ARGV[3])
return 0
"""
_RELEASE = """
redis.call('LREM', KEYS[3], 0, ARGV[1])
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return end
redis.call('DEL', KEYS[1])
local turn = redis.call('LPOP', KEYS[3])
if turn then
  redis.call('SET', KEYS[2], turn, 'PX', ARGV[2])
  redis.call('LPUSH', KEYS[2] .. ':' .. turn, '')
  redis.call('PEXPIRE', KEYS[2] .. ':' .. turn, ARGV[2])
end
"""


@dataclass(frozen=True)
class StoreLease:
    """The lease of a name that this process holds; `contended` when another process held it before."""

    name: str
    contended: bool
    token: str
    acquired_at: float = field(default_factory=time.monotonic)

    @property
    def age(self) -> float:
        """Return how many seconds ago it was acquired."""
        return time.monotonic() - self.acquired_at

    def release(self) -> None:
        """Release the lease, unless it has expired and another process holds it."""
        if not cache_outage.resting:
            try:
                cache_store().eval(_RELEASE, 3, *_keys(self.name), self.token, _RESERVED_MS)
            except RedisError:
                cache_outage.failed()


def acquire(name: str, seconds: float) -> StoreLease | None:
    """Return the lease of a name, waiting for other processes; None after `seconds`, or while the store is away.

    Processes get it in the order in which they came.
    """
    token, end, polls = secrets.token_hex(8), time.monotonic() + seconds, 0
    try:
        while not cache_outage.resting and time.monotonic() < end:
            if _poll(name, token):
                return StoreLease(name, polls > 0, token)
            polls += 1
            _wait(name, token)
    except BaseException:  # interrupted: the store may have given the lease already
        StoreLease(name, True, token).release()
        raise
    StoreLease(name, True, token).release()  # leaves the queue
    return None


def _poll(name: str, token: str) -> bool:
    try:
        return bool(cache_store().eval(_ACQUIRE, 3, *_keys(name), token, int(LEASE_SECONDS * 1000), _QUEUED_MS))
    except RedisError:
        cache_outage.failed()
        return False


def _wait(name: str, token: str) -> None:
    """Wait until it is the turn of this process, or for some time."""
    try:
        cache_store().blpop([f"{_keys(name)[1]}:{token}"], _WAIT_SECONDS)
    except RedisTimeoutError:
        pass  # the store may only have waited for longer: the next poll shows whether it is away
    except RedisError:
        cache_outage.failed()


def _keys(name: str) -> tuple[str, str, str]:
    """Return the keys of a lease, the turn and the queue: braces, because they are in one slot of a cluster."""
    key = f"tm:lease:{{{name}}}"
    return key, f"{key}:next", f"{key}:queue"
