"""An empty database for each test: documents are deleted; collections and indexes are those of the migrations."""

from pymongo import WriteConcern

from taskmanager.api.checks.all import health_checks
from taskmanager.core.security import access
from taskmanager.core.servers import service_state
from taskmanager.core.servers.stores import cache_outage, cache_store, queue_store
from taskmanager.core.storage import database
from taskmanager.testing.indexes import INDEXES

_EMPTIED = "emptied"


def empty_all() -> None:
    """Delete all stored data, and invalidate the caches of this process."""
    _empty_database()
    INDEXES.restore(database.database())
    for store in (queue_store(), cache_store()):
        store.flushdb()
    access.invalidate_all()
    service_state.reset()
    cache_outage.recovered()
    database.breaker.close()
    health_checks().forget()


def _empty_database() -> None:
    """Delete the documents.

    The last write waits until the majority has it and all writes before it, because the snapshot of a transaction may
    be older than what a single member has acknowledged.
    """
    names = [name for name in database.database().list_collection_names() if not name.startswith("system.")]
    new = INDEXES.are_new(database.database(), [name for name in names if name != _EMPTIED])
    for name in new:
        database.database().drop_collection(name)
    unsafe = WriteConcern(w=1, j=False)
    for name in _filled([name for name in names if name not in new]):
        database.database().get_collection(name, write_concern=unsafe).delete_many({})
    safe = database.database().get_collection(_EMPTIED, write_concern=WriteConcern(w="majority"))
    safe.update_one({"_id": 0}, {"$inc": {"times": 1}}, upsert=True)


def _filled(names: list[str]) -> list[str]:
    """Return the collections that are not empty, by one command: most tests fill few of them."""
    one_of = {name: [{"$limit": 1}, {"$project": {"_id": 0, "name": {"$literal": name}}}] for name in names}
    each = [{"$unionWith": {"coll": name, "pipeline": pipeline}} for name, pipeline in one_of.items()]
    found = database.database()[_EMPTIED].aggregate([{"$match": {"_id": None}}, *each])
    return [one["name"] for one in found if one["name"] not in ("migrations", _EMPTIED)]
