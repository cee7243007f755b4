"""Contents that nothing refers to go; those of attachments stay, and those of another database."""

from datetime import timedelta

import pytest
import time_machine
from bson import ObjectId

from taskmanager.core.clock import now
from taskmanager.core.configuration import settings as settings_module
from taskmanager.core.errors import NotFound
from taskmanager.core.storage import walks
from taskmanager.features.attachments import lost_contents, service as attachments, storage
from taskmanager.features.attachments.models import Attachment, OrphanedUpload
from tests.features.files import attach


@pytest.fixture(params=["gridfs", "folder"])
def store(request, scene, settings, tmp_path):
    changes = {"attachment_store": request.param, "attachment_folder": tmp_path}
    settings_module.use(settings.model_copy(update=changes))
    yield storage.current_store()
    settings_module.use(settings)


def lost(store):
    content_id = ObjectId()
    store.write(content_id, iter([b"lost"]))
    return content_id


def is_there(store, content_id):
    try:
        return bool(list(store.read(content_id, 0, 1)))
    except NotFound:
        return False


def test_what_nothing_refers_to_goes_after_a_day(scene, monkeypatch):
    store = storage.GridFsStore()
    monkeypatch.setattr(walks, "BATCH", 3)
    assert attach(scene.owner, scene.task_path).status_code == 201
    kept, gone = Attachment.objects.get().content_id, [lost(store) for _ in range(7)]
    loose = lost(store)
    OrphanedUpload(id=loose).save(force_insert=True)
    assert lost_contents.remove() == 0
    with time_machine.travel(now() + timedelta(days=2), tick=False):
        assert lost_contents.remove() == 7
    assert is_there(store, kept) and is_there(store, loose)
    assert not any(is_there(store, content_id) for content_id in gone)


def test_what_a_killed_upload_left_goes_after_an_hour(app, store):
    """Nothing of ours runs when a process is killed: a note of the content, and a part of it, are all that is left."""
    content_id = lost(store)
    OrphanedUpload(id=content_id).save(force_insert=True)
    assert attachments.delete_orphaned_uploads() == 0
    with time_machine.travel(now() + timedelta(hours=2), tick=False):
        assert attachments.delete_orphaned_uploads() == 1
    assert not is_there(store, content_id)
    assert not OrphanedUpload.objects


@pytest.mark.parametrize("database", ["empty", "older than the file"])
def test_nothing_in_a_folder_is_lost_because_this_database_does_not_know_it(scene, change_settings, tmp_path, database):
    folder = storage.FolderStore(tmp_path)
    change_settings(attachment_store="folder", attachment_folder=tmp_path)
    if database != "empty":
        assert attach(scene.owner, scene.task_path).status_code == 201
    content_id = lost(folder)
    with time_machine.travel(now() + timedelta(days=2), tick=False):
        assert lost_contents.remove() == 0
    assert is_there(folder, content_id)
