"""What belongs to something that is gone goes too, whoever left it behind."""

from datetime import timedelta

import pytest
from bson import ObjectId

from taskmanager.core.clock import now
from taskmanager.core.storage import walks
from taskmanager.features.accounts import orphans
from taskmanager.features.attachments import storage
from taskmanager.features.attachments.models import Attachment
from taskmanager.features.comments.models import Comment
from taskmanager.features.projects.models import Membership
from taskmanager.features.tasks.models import Task
from taskmanager.features.users.models import User
from tests.features.files import attach


def store(belonging, owner_id, *, age=timedelta(days=1)):
    """Insert a document as an earlier release may have left it."""
    row = {"_id": ObjectId(), belonging.field: owner_id, "created_at": now() - age, "revision": 1}
    unique = {"key": str(ObjectId()), "email": f"{ObjectId()}@x.test", "event_id": ObjectId(), "state": "refused"}
    unique |= {name: ObjectId() for name in ("project_id", "user_id", "task_id") if name != belonging.field}
    unique |= {"name": str(ObjectId()), "issuer": "x", "subject": str(ObjectId()), "expires_at": now(), "size": 1}
    belonging.model._get_collection().insert_one(unique | row | belonging.where)
    return row["_id"]


@pytest.mark.parametrize("belonging", orphans.DEPENDENTS, ids=lambda one: f"{one.model.__name__}.{one.field}")
def test_what_belongs_to_nothing_goes(app, monkeypatch, belonging):
    monkeypatch.setattr(orphans, "walked", lambda: [belonging])
    owner = {"_id": ObjectId(), "key": "X", "email": "x@x.test"}
    belonging.owner._get_collection().insert_one(owner)
    kept, gone, young = store(belonging, owner["_id"]), store(belonging, ObjectId()), None
    young = store(belonging, ObjectId(), age=timedelta())
    assert orphans.remove() == 1
    left = {row["_id"] for row in belonging.model._get_collection().find({}, {"_id": 1})}
    assert left == {kept, young}
    assert gone not in left


def test_what_a_deleted_account_had_goes(scene):
    member = scene.member()
    User.objects(id=member.user.id).update(set__deleted_at=now())
    Membership.objects.update(set__created_at=now() - timedelta(days=1))
    assert orphans.remove() == 1
    assert list(Membership.objects.scalar("user_id")) == [scene.owner.user.id]


def test_a_lost_attachment_gives_back_its_room(scene):
    assert attach(scene.owner, scene.task_path, b"x" * 1000).status_code == 201
    attachment = Attachment.objects.get()
    Attachment.objects.update(set__created_at=now() - timedelta(days=1))
    Task.objects.delete()
    assert orphans.remove() == 1
    assert User.objects.get(id=scene.owner.user.id).attachment_bytes == 0
    with pytest.raises(Exception, match="not in the store"):
        next(storage.current_store().read(attachment.content_id, 0, 10))


def test_rounds_go_through_everything(scene, monkeypatch):
    monkeypatch.setattr(walks, "BATCH", 3)
    monkeypatch.setattr(walks, "_MAX_SECONDS", 0)
    for _ in range(7):
        for belonging in orphans.DEPENDENTS[:3:2]:
            store(belonging, ObjectId())
    assert [orphans.remove() for _ in range(6)] == [3, 3, 3, 3, 2, 0]
    assert not Comment.objects
