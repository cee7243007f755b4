"""Events get positions, in one order over all streams, and the indexes by which readers follow them.

Events of before get theirs here, each stream in its order. Those that the release before records meanwhile, or later,
have none: the sequencer finds them by that, and places them as all others.
"""

from typing import Any

from pymongo import ASCENDING, IndexModel
from pymongo.database import Database
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

from taskmanager.core.events.positions import INDEX, place_in

EXPAND = True
_BATCH = 1000


def _index(name: str, *fields: str, there: str | None = None) -> IndexModel:
    where = {"partialFilterExpression": {there: {"$exists": True}}} if there else {}
    return IndexModel([(field, ASCENDING) for field in fields], name=name, **where)


INDEXES = [
    _index(INDEX, "position", "stream", "seq"),
    _index("stream_position", "stream", "position", there="position"),
    _index("accounts_position", "accounts", "position", there="accounts"),
]


def upgrade(database: Database[dict[str, Any]]) -> None:
    """Create the indexes and place the events; safe to run twice, and beside sequencers."""
    for index in INDEXES:
        database["events"].create_indexes([index])
    with database.client.start_session() as session:
        while session.with_transaction(
            lambda session: place_in(database, _BATCH, session),
            read_concern=ReadConcern("snapshot"),
            write_concern=WriteConcern("majority"),
        ):
            pass
