"""Values that are asked for often and change seldom, in Flask-Caching's store: small, and never rights.

The mend over Flask-Caching: it raises when its store is away, and here a cache that is away is a cache that
forgot. `core` may import extensions; nothing here needs a request.
"""

from collections.abc import Callable, Iterable
from typing import Any

from taskmanager.core.servers.stores import RedisError, cache_rest
from taskmanager.core.storage.unit_of_work import on_commit
from taskmanager.extensions import cache

_SECONDS = 60


def each(kind: str, ids: Iterable[Any], load: Callable[[list[Any]], dict[Any, Any]]) -> dict[Any, Any]:
    """Return the values of `ids`; `load` answers for those that are not remembered, in one query.
    Values must be JSON.
    """
    wanted = list(dict.fromkeys(ids))
    known = _read(kind, wanted)
    missing = [item_id for item_id in wanted if item_id not in known]
    if not missing:
        return known
    loaded = load(missing)
    _quietly(lambda: cache.set_many({_key(kind, item_id): value for item_id, value in loaded.items()}, _SECONDS))
    return known | loaded


def invalidate(kind: str, item_id: Any) -> None:
    """Drop a value once the open transaction has changed it; where the store is away it ends by itself in a minute."""
    on_commit(lambda: _quietly(lambda: cache.delete(_key(kind, item_id))))


def _read(kind: str, ids: list[Any]) -> dict[Any, Any]:
    found = _quietly(lambda: cache.get_many(*(_key(kind, item_id) for item_id in ids))) if ids else None
    return {item_id: value for item_id, value in zip(ids, found or (), strict=False) if value is not None}


def _quietly(step: Callable[[], Any]) -> Any:
    """Return what `step` answers; None while the store is away."""
    if cache_rest.resting:
        return None
    try:
        return step()
    except RedisError:
        cache_rest.failed()
        return None


def _key(kind: str, item_id: Any) -> str:
    return f"{kind}:{item_id}"
