"""The base of every document that clients can read and change."""

from collections.abc import Container, Sequence
from dataclasses import dataclass
from typing import Any, Self

from mongoengine import DateTimeField, Document, IntField
from mongoengine.errors import NotUniqueError
from mongoengine.queryset import transform
from pymongo import UpdateOne

from taskmanager.core.clock import now
from taskmanager.core.errors import PreconditionFailed
from taskmanager.core.storage.querysets import BaseQuerySet, Row

# The revisions that a change is allowed on, by If-Match and If-None-Match; None stands for all.
IfMatch = Container[int] | None


@dataclass(frozen=True)
class AllBut:
    """All revisions except some."""

    excluded: frozenset[int]

    def __contains__(self, revision: object) -> bool:
        return revision not in self.excluded


def _updates(changes: dict[str, Any]) -> dict[str, Any]:
    """Return what MongoEngine is to do. What has no value is not stored, as MongoEngine does it when it inserts."""
    return {f"unset__{field}" if value is None else f"set__{field}": value for field, value in changes.items()}


class Versioned(Document):
    """A document with a revision: each change raises it, and is refused when it was made on an older one."""

    # strict=False: an instance of the previous release must be able to read what the next one wrote.
    meta = {"abstract": True, "strict": False, "auto_create_index": False, "queryset_class": BaseQuerySet}

    revision = IntField(required=True, default=1)
    created_at = DateTimeField(required=True, default=now)
    updated_at = DateTimeField(required=True, default=now)

    def check_revision(self, if_match: IfMatch) -> None:
        """Raise PreconditionFailed unless this is one of the revisions of `if_match`."""
        if if_match is not None and self.revision not in if_match:
            raise PreconditionFailed

    def write(self, **changes: Any) -> Self:
        """Store `changes` on exactly the revision that was read; answers the document as stored.

        MongoEngine's `save()` would overwrite a newer document and bring back a deleted one. What has no value is
        not stored, as MongoEngine does it when it inserts.
        Raises PreconditionFailed when another writer was faster.
        """
        changes |= self.derived(changes)
        stored = (
            type(self)
            .objects(id=self.id, revision=self.revision)
            .modify(new=True, inc__revision=1, set__updated_at=now(), **_updates(changes))
        )
        if stored is None:
            raise PreconditionFailed
        return stored

    def derived(self, changes: dict[str, Any]) -> dict[str, Any]:
        """Return what is stored beside `changes` because of them, such as the tokens of a title."""
        return {}

    @classmethod
    def write_each(cls, documents: Sequence[Self], changes: Sequence[dict[str, Any]]) -> list[Self]:
        """Store the changes of each of some documents as `write` does, by one command, in the open transaction.

        Return the documents as stored. Raises PreconditionFailed when another writer was faster with one of them.
        """
        if not documents:
            return []
        moment, operations, stored = now(), [], []
        for document, changed in zip(documents, changes, strict=True):
            changed = changed | document.derived(changed)
            update = transform.update(cls, inc__revision=1, set__updated_at=moment, **_updates(changed))
            operations.append(UpdateOne({"_id": document.id, "revision": document.revision}, update))
            stored.append(document._copy(changed | {"revision": document.revision + 1, "updated_at": moment}))
        if cls._get_collection().bulk_write(operations).matched_count < len(operations):
            raise PreconditionFailed
        return stored

    def _copy(self, changes: dict[str, Any]) -> Self:
        copied: Self = type(self)._from_son(self.to_mongo())
        for field, value in changes.items():
            setattr(copied, field, value)
        return copied

    @classmethod
    def insert_all(cls, documents: Sequence[Self]) -> None:
        """Store new documents, which have ids, by one command."""
        for document in documents:
            document.validate(clean=True)
        if documents:
            cls._get_collection().insert_many([document.to_mongo() for document in documents])

    @classmethod
    def write_all(cls, documents: Sequence[Self], **changes: Any) -> None:
        """Store the same `changes` of documents that were read in the open transaction, by one command.

        What is `derived` from a change is not stored here.
        """
        updates = _updates(changes)
        found = cls.objects(id__in=[document.id for document in documents])
        if documents:
            found.update(inc__revision=1, set__updated_at=now(), **updates)
        for document in documents:
            for field, value in changes.items():
                setattr(document, field, value)

    @classmethod
    def at(cls, **place: Any) -> Self:
        """Return the one document in a unique place; a new one that is not stored, of revision 0, when
        there is none.
        """
        return cls.objects(**place).first() or cls(**place, revision=0)

    def keep(self, **changes: Any) -> Self:
        """Store `changes` of a document that `at` answered, whether or not there was one.

        Raises PreconditionFailed when another writer was faster.
        """
        if self.revision:
            return self.write(**changes)
        for field, value in changes.items():
            setattr(self, field, value)
        self.revision = 1
        try:
            return self.save(force_insert=True)
        except NotUniqueError:
            raise PreconditionFailed from None

    def differences(self, changes: dict[str, Any]) -> dict[str, list[Any]]:
        """Return which of `changes` change anything: {field: [before, after]}."""
        return {
            field: [getattr(self, field), value] for field, value in changes.items() if getattr(self, field) != value
        }

    def as_row(self) -> Row:
        """Return the stored form, as `Words.row` reads it: what the serialisers take. What is not
        stored has no times.
        """
        row = self.to_mongo().to_dict()
        return row if self.revision else {key: row[key] for key in row if key not in ("created_at", "updated_at")}
