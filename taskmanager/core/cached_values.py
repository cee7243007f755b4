"""Values that are read often and change seldom, in Flask-Caching's store: small, and never rights.

Flask-Caching raises when its store is unreachable; here an unreachable cache is an empty cache. `core` may import
extensions; nothing here needs a request.
"""

from collections.abc import Callable, Iterable
from typing import TypeVar

from taskmanager.core.servers.stores import RedisError, cache_outage
from taskmanager.core.storage.unit_of_work import on_commit
from taskmanager.core.telemetry.instruments import count_reads
from taskmanager.extensions import cache

K = TypeVar("K")
V = TypeVar("V")

_TTL_SECONDS = 60


def each(kind: str, ids: Iterable[K], load: Callable[[list[K]], dict[K, V]]) -> dict[K, V]:
    """Return {id: value}; `load` returns the values that are not cached, in one query. Values must be JSON."""
    wanted = list(dict.fromkeys(ids))
    known: dict[K, V] = _read(kind, wanted)
    missing = [item_id for item_id in wanted if item_id not in known]
    count_reads(kind, hits=len(known), misses=len(missing))
    if not missing:
        return known
    loaded = load(missing)
    _try(lambda: cache.set_many({_key(kind, item_id): value for item_id, value in loaded.items()}, _TTL_SECONDS))
    return known | loaded


def invalidate(kind: str, item_id: object) -> None:
    """Delete a value once the open transaction has committed; while the store is away, it expires in a minute."""
    on_commit(lambda: _delete(_key(kind, item_id)))


def _delete(key: str) -> None:
    _try(lambda: cache.delete(key))


def _read(kind: str, ids: list[K]) -> dict[K, V]:
    found: list[V | None] | None = _try(lambda: cache.get_many(*(_key(kind, key) for key in ids))) if ids else None
    return {item_id: value for item_id, value in zip(ids, found or (), strict=False) if value is not None}


def _try(step: Callable[[], V]) -> V | None:
    """Return the result of `step`; None while the store is away."""
    if cache_outage.resting:
        return None
    try:
        return step()
    except RedisError:
        cache_outage.failed()
        return None


def _key(kind: str, item_id: object) -> str:
    return f"{kind}:{item_id}"
