"""Leases in the cache store, which order the processes that write one document.

A lease is a hint: it expires when its holder dies, may be lost with the store, and is not needed for correctness,
because MongoDB decides which of two concurrent transactions commits. While the store is away there are no leases.
"""

import secrets
import time
from dataclasses import dataclass, field

from taskmanager.core.configuration import settings
from taskmanager.core.servers.stores import RedisError, cache_outage, cache_store

LEASE_SECONDS = 0.5  # a killed process delays the others for as long
_POLL_SECONDS = 0.02  # a process that waits asks so often whether the holder was killed
_RESERVED_MS = 100  # a process that waits for a lease reserves it: a process that waits no more loses the reservation

# KEYS: the lease and its reservation; ARGV: the token of the caller, milliseconds of the lease and of the reservation.
# A free lease goes to the process that has reserved it, so that no process takes it twice while another one waits. That
# one waits at a list of its own, in which the holder puts an element for it when it releases the lease.
_ACQUIRE = """
local reserved = redis.call('GET', KEYS[2])
if redis.call('EXISTS', KEYS[1]) == 0 and (not reserved or reserved == ARGV[1]) then
  redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
  redis.call('DEL', KEYS[2])
  return 1
end
if not reserved or reserved == ARGV[1] then redis.call('SET', KEYS[2], ARGV[1], 'PX', ARGV[3]) end
return 0
"""
_RELEASE = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return end
redis.call('DEL', KEYS[1])
local reserved = redis.call('GET', KEYS[2])
if reserved then
  redis.call('LPUSH', KEYS[2] .. ':' .. reserved, '')
  redis.call('PEXPIRE', KEYS[2] .. ':' .. reserved, ARGV[2])
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
                cache_store().eval(_RELEASE, 2, *_keys(self.name), self.token, _RESERVED_MS)
            except RedisError:
                cache_outage.failed()


def acquire(name: str, seconds: float) -> StoreLease | None:
    """Return the lease of a name, waiting for other processes; None after `seconds`, or while the store is away."""
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
    return None


def _poll(name: str, token: str) -> bool:
    try:
        return bool(cache_store().eval(_ACQUIRE, 2, *_keys(name), token, int(LEASE_SECONDS * 1000), _RESERVED_MS))
    except RedisError:
        cache_outage.failed()
        return False


def _wait(name: str, token: str) -> None:
    """Wait until the lease may be free."""
    try:
        seconds = min(_POLL_SECONDS, settings.current().redis_timeout_ms / 2000)
        cache_store().blpop([f"{_keys(name)[1]}:{token}"], seconds)
    except RedisError:
        cache_outage.failed()


def _keys(name: str) -> tuple[str, str]:
    """Return the keys of a lease and of its reservation: braces, because they are in one slot of a cluster."""
    return f"tm:lease:{{{name}}}", f"tm:lease:{{{name}}}:next"
