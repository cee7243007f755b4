"""Collections and indexes of the database of the tests: what a test makes or drops is undone before the next test."""

from typing import Any

from mongoengine import Document
from pymongo import monitoring
from pymongo.database import Database

_CHANGING = frozenset({"create", "createIndexes", "dropIndexes", "drop", "dropDatabase", "collMod", "renameCollection"})
Indexes = dict[str, dict[str, dict[str, Any]]]  # {collection: {name: index}}, without those of _id


def documents(base: type[Document] = Document) -> set[type[Document]]:
    """Return the classes of documents that are defined so far and have a collection."""
    found = {kind for kind in base.__subclasses__() if not kind._meta.get("abstract")}
    return found.union(*(documents(kind) for kind in base.__subclasses__()))


class KeptIndexes(monitoring.CommandListener):
    """Notes which commands change indexes, so that a test that sends none costs nothing.

    It sees those of this process: a test whose processes change indexes uses a database of its own.
    Validators and options of collections are not restored.
    """

    def __init__(self) -> None:
        self._database, self._indexes, self._changed = "", Indexes(), False

    def remember(self, database: Database[dict[str, Any]]) -> None:
        """Take the present indexes for those that each test begins with."""
        self._database, self._indexes, self._changed = database.name, _indexes_of(database), False

    def are_new(self, database: Database[dict[str, Any]], names: list[str]) -> list[str]:
        """Return the collections of `names` that a test made: no migration has made them, and they are of no class."""
        if database.name != self._database:
            return []
        known = self._indexes.keys() | {kind._get_collection_name() for kind in documents()}
        return [name for name in names if name not in known]

    def restore(self, database: Database[dict[str, Any]]) -> None:
        """Drop what is new and create what is missing; the collections are empty."""
        if not self._changed or database.name != self._database:
            return
        present = _indexes_of(database)
        for collection in {*present, *self._indexes}:
            _replace(database, collection, present.get(collection, {}), self._indexes.get(collection, {}))
        self._changed = False

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        if event.command_name in _CHANGING and event.database_name == self._database:
            self._changed = True

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        """Do nothing: a command is noted when it starts."""

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        """Do nothing: a command is noted when it starts."""


def _indexes_of(database: Database[dict[str, Any]]) -> Indexes:
    names = [name for name in database.list_collection_names() if not name.startswith("system.")]
    return {
        name: {index["name"]: dict(index) for index in database[name].list_indexes() if index["name"] != "_id_"}
        for name in names
    }


def _replace(
    database: Database[dict[str, Any]], collection: str, present: dict[str, Any], wanted: dict[str, Any]
) -> None:
    for name in present:
        if present[name] != wanted.get(name):
            database[collection].drop_index(name)
    if missing := [wanted[name] for name in wanted if wanted[name] != present.get(name)]:
        database.command("createIndexes", collection, indexes=missing)


INDEXES = KeptIndexes()
