"""The base of every document that clients can read and change."""

from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Self

from mongoengine import DateTimeField, IntField
from mongoengine.errors import NotUniqueError
from pymongo import ReturnDocument, UpdateOne
from pymongo.errors import DuplicateKeyError

from taskmanager.core.clock import now
from taskmanager.core.errors import PreconditionFailed
from taskmanager.core.mapping.compiled_documents import CompiledDocument
from taskmanager.core.storage.orders import Row
from taskmanager.core.storage.querysets import BaseQuerySet

# The revisions that a change is allowed on, by If-Match and If-None-Match (RFC 9110, 13.1); None means all.
IfMatch = Container[int] | None
_BY_ID = [("_id", 1)]  # the index of writes: the planner would compare it with all that have the shard field


@dataclass(frozen=True)
class AllBut:
    """All revisions except some."""

    excluded: frozenset[int]

    def __contains__(self, revision: object) -> bool:
        return revision not in self.excluded


class Versioned(CompiledDocument):
    """A document with a revision: each change raises it, and is refused when it is based on an older one."""

    # strict=False: an instance of the previous release must be able to read what the next one wrote.
    meta = {"abstract": True, "strict": False, "auto_create_index": False, "queryset_class": BaseQuerySet}

    # The field by which the collection can be sharded (see `core.servers.sharding`): writes of one document name its
    # value, so that one shard gets them. None where the collection is not sharded.
    shard_field: ClassVar[str | None] = None

    revision = IntField(required=True, default=1)
    created_at = DateTimeField(required=True, default=now)
    updated_at = DateTimeField(required=True, default=now)

    def check_revision(self, if_match: IfMatch) -> None:
        """Raise PreconditionFailed unless this is one of the revisions of `if_match`."""
        if if_match is not None and self.revision not in if_match:
            raise PreconditionFailed

    def write(self, **changes: Any) -> Self:
        """Store `changes` if the stored revision is the one that was read; return the document as stored.

        MongoEngine's `save()` would overwrite a newer document and restore a deleted one. A value of None is not
        stored, as in an insert of MongoEngine. Raises PreconditionFailed when another writer was faster.
        """
        update = self._revised(changes | self.derived(changes), now())
        try:
            row = self._get_collection().find_one_and_update(
                self._stored_as_read(), update, return_document=ReturnDocument.AFTER, hint=_BY_ID
            )
        except DuplicateKeyError as error:
            raise NotUniqueError(f"Update failed ({error})") from error
        if row is None:
            raise PreconditionFailed
        stored = self._from_son(row)
        self.on_write([(self, stored)])
        return stored

    def _stored_as_read(self) -> Row:
        """Return the query of the stored document, unless another writer has changed it."""
        return {"_id": self.pk, "revision": self.revision} | self._shard_of([self])

    @classmethod
    def _shard_of(cls, documents: Sequence[Self]) -> Row:
        """Return the condition that names the shards of these documents; empty where that is not known."""
        name = cls.shard_field
        if name is None:
            return {}
        values = list({getattr(document, name) for document in documents})
        if not values or None in values:  # of a document that was read in part
            return {}
        return {name: values[0] if len(values) == 1 else {"$in": values}}

    @classmethod
    def on_write(cls, pairs: Iterable[tuple[Self | None, Self | None]]) -> None:
        """Take each written document as it was before and as it is now, in the open transaction.

        None stands for a document before its insert, or after its deletion. For kinds that something depends on.
        """

    def save(self, *args: Any, **kwargs: Any) -> Self:
        """Store a new document; `write` changes a stored one."""
        saved: Self = super().save(*args, **kwargs)
        self.on_write([(None, saved)])
        return saved

    def delete_unchanged(self) -> None:
        """Delete the document. Raises PreconditionFailed unless the stored revision is the one that was read."""
        if not self._get_collection().delete_one(self._stored_as_read(), hint=_BY_ID).deleted_count:
            raise PreconditionFailed
        self.on_write([(self, None)])

    @classmethod
    def delete_each(cls, documents: Sequence[Self]) -> None:
        """Delete documents that were read in the open transaction. Raises PreconditionFailed when one is gone."""
        query = {"_id": {"$in": [document.id for document in documents]}} | cls._shard_of(documents)
        if cls._get_collection().delete_many(query, hint=_BY_ID).deleted_count < len(documents):
            raise PreconditionFailed
        cls.on_write((document, None) for document in documents)

    def derived(self, changes: Row) -> Row:
        """Return further fields to store that follow from `changes`, such as the tokens of a title."""
        return {}

    @classmethod
    def write_each(cls, documents: Sequence[Self], changes: Sequence[Row]) -> list[Self]:
        """Store the changes of each document as `write` does, by one command, in the open transaction.

        Behind a router, changes of the shard field are a command each: it takes them only so. Return them as stored.
        Raises PreconditionFailed when another writer has changed one of them.
        """
        rekeyed = any(cls.shard_field in changed for changed in changes)
        if len(documents) < 2 or (rekeyed and cls._get_collection().database.client.is_mongos):
            return [document.write(**changed) for document, changed in zip(documents, changes, strict=True)]
        moment, operations, stored = now(), [], []
        for document, changed in zip(documents, changes, strict=True):
            changed = changed | document.derived(changed)
            update = cls._revised(changed, moment)
            operations.append(UpdateOne(document._stored_as_read(), update, hint=_BY_ID))
            stored.append(document._copy(changed | {"revision": document.revision + 1, "updated_at": moment}))
        if cls._get_collection().bulk_write(operations).matched_count < len(operations):
            raise PreconditionFailed
        cls.on_write(zip(documents, stored, strict=True))
        return stored

    @classmethod
    def _revised(cls, changes: Row, moment: datetime) -> Row:
        """Return MongoDB's update that stores `changes` as the next revision."""
        return cls.update_of({"updated_at": moment, **changes}) | {"$inc": {"revision": 1}}

    def _copy(self, changes: Row) -> Self:
        copied = self._from_son(self.to_row())
        for field, value in changes.items():
            setattr(copied, field, value)
        return copied

    @classmethod
    def insert_all(cls, documents: Sequence[Self]) -> None:
        """Store new documents, which have ids, by one command."""
        for document in documents:
            document.validate(clean=True)
        rows = [document.to_row() for document in documents]
        if len(rows) == 1:
            cls._get_collection().insert_one(rows[0])
        elif rows:
            cls._get_collection().insert_many(rows)
        cls.on_write((None, document) for document in documents)

    @classmethod
    def write_all(cls, documents: Sequence[Self], **changes: Any) -> None:
        """Store the same `changes` in documents that were read in the open transaction, by one command.

        Fields that are `derived` from a change are not stored.
        """
        if documents:
            found = {"_id": {"$in": [document.id for document in documents]}} | cls._shard_of(documents)
            cls._get_collection().update_many(found, cls._revised(changes, now()), hint=_BY_ID)
        cls.on_write((document, document._copy(changes)) for document in documents)
        for document in documents:
            for field, value in changes.items():
                setattr(document, field, value)

    @classmethod
    def at(cls, **unique: Any) -> Self:
        """Return the document with these unique values; when there is none, a new one of revision 0, not stored."""
        return cls.objects(**unique).first() or cls(**unique, revision=0)

    def keep(self, **changes: Any) -> Self:
        """Store `changes` in a document that `at` returned, whether it is stored already or new.

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

    def differences(self, changes: Row) -> dict[str, list[Any]]:
        """Return those of `changes` that differ from the present values: {field: [before, after]}."""
        return {
            field: [getattr(self, field), value] for field, value in changes.items() if getattr(self, field) != value
        }

    def as_row(self) -> Row:
        """Return the stored form, as `BaseQuerySet.row` returns it, for the serialisers.

        A document that is not stored has no `created_at` and `updated_at`.
        """
        row = self.to_row()
        return row if self.revision else {key: row[key] for key in row if key not in ("created_at", "updated_at")}
