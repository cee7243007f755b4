"""A file storage, for `TASKMANAGER_ATTACHMENT_STORE=sample`. This one forgets all at its end: take it for no more."""

from collections.abc import Iterator

from bson import ObjectId

from taskmanager.features.attachments.storage import missing

contents: dict[ObjectId, bytes] = {}


class Memory:
    """See `Store` in `taskmanager/features/attachments/storage.py`."""

    def write(self, content_id: ObjectId, chunks: Iterator[bytes]) -> None:
        contents[content_id] = b"".join(chunks)

    def read(self, content_id: ObjectId, start: int, end: int) -> Iterator[bytes]:
        if content_id not in contents:
            raise missing()
        return iter([contents[content_id][start:end]])

    def delete(self, content_id: ObjectId) -> None:
        contents.pop(content_id, None)
