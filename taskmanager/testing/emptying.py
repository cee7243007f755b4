"""An empty database for each test: documents are deleted and collections kept, because with them their indexes stay."""

from pymongo import WriteConcern

from taskmanager.core.security import access
from taskmanager.core.servers.stores import cache_rest, cache_store, queue_store
from taskmanager.core.storage import database

_EMPTIED = "emptied"


def empty_all() -> None:
    """Delete all that is stored, and let this process remember nothing."""
    _empty_database()
    for store in (queue_store(), cache_store()):
        store.flushdb()
    access.invalidate_all()
    cache_rest.recovered()
    database.breaker.close()


def _empty_database() -> None:
    """Delete the documents.

    One write is waited for until the majority has it, and with it all before: the snapshot of a transaction may be a
    little older than what a single member has acknowledged.
    """
    unsafe = WriteConcern(w=1, j=False)
    for name in _filled():
        database.database().get_collection(name, write_concern=unsafe).delete_many({})
    safe = database.database().get_collection(_EMPTIED, write_concern=WriteConcern(w="majority"))
    safe.update_one({"_id": 0}, {"$inc": {"times": 1}}, upsert=True)


def _filled() -> list[str]:
    """Return the collections that hold something, asked for by one command: most tests fill few of them."""
    names = [name for name in database.database().list_collection_names() if not name.startswith("system.")]
    one_of = {name: [{"$limit": 1}, {"$project": {"_id": 0, "name": {"$literal": name}}}] for name in names}
    each = [{"$unionWith": {"coll": name, "pipeline": pipeline}} for name, pipeline in one_of.items()]
    found = database.database()[_EMPTIED].aggregate([{"$match": {"_id": None}}, *each])
    return [one["name"] for one in found if one["name"] not in ("migrations", _EMPTIED)]
