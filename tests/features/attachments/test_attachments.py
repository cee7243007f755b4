"""Attachments: streams in and out, ranges, and no content that is left behind."""

import hashlib
from datetime import timedelta
from urllib.parse import unquote

import pytest
from bson import ObjectId

from taskmanager.core.clock import now
from taskmanager.core.configuration import settings as core_settings
from taskmanager.core.storage.database import database
from taskmanager.features.attachments import service as attachments, storage
from taskmanager.features.attachments.models import OrphanedUpload
from tests.features.files import attach, post_form
from tests.problems import assert_problem
from tests.scene import Scene

ANY = {"If-Match": "*"}
CONTENT = bytes(range(256)) * 3000  # more than one chunk


@pytest.fixture(params=["gridfs", "folder"])
def stored(request, other_app, tmp_path):
    """A scene over each kind of store, and how many contents it has."""
    scene = Scene(other_app(attachment_store=request.param, attachment_folder=tmp_path, attachment_max_bytes=10**6))

    def count():
        if request.param == "folder":
            return sum(path.is_file() for path in tmp_path.rglob("*"))
        return len(database()["attachments.chunks"].distinct("files_id"))

    scene.stored = count
    return scene


def test_what_goes_in_comes_out(stored):
    answer = attach(stored.owner, stored.task_path, CONTENT)
    assert answer.status_code == 201, answer.text
    assert (answer.json["name"], answer.json["size"], answer.json["content_type"]) == (
        "notes.txt",
        768_000,
        "text/plain",
    )
    assert answer.json["sha256"] == hashlib.sha256(CONTENT).hexdigest()
    one, viewer = answer.headers["Location"], stored.member("viewer")
    assert viewer.get(one).json == answer.json
    assert viewer.get(f"{stored.task_path}/attachments").json["items"] == [answer.json]
    content = viewer.get(f"{one}/content", headers={"Accept": "image/png", "Accept-Encoding": "gzip, br"})
    assert (content.status_code, content.data == CONTENT) == (200, True)
    assert content.headers["Content-Length"] == "768000"
    assert content.headers["Content-Disposition"] == "attachment; filename=\"notes.txt\"; filename*=UTF-8''notes.txt"
    assert content.headers["Content-Type"] == "application/octet-stream"
    assert content.headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in content.headers["Content-Security-Policy"]
    assert "Content-Encoding" not in content.headers
    head = viewer.head(f"{one}/content")
    assert (head.status_code, head.headers["Content-Length"], head.data) == (200, "768000", b"")
    tag = {"If-None-Match": content.headers["ETag"]}
    assert viewer.get(f"{one}/content", headers=tag).status_code == 304


@pytest.mark.parametrize(
    ("asked", "first", "end"),
    [
        ("bytes=0-9", 0, 10),
        ("bytes=261119-261122", 261_119, 261_123),  # over the border of two chunks
        ("bytes=767990-", 767_990, 768_000),
        ("bytes=-5", 767_995, 768_000),
        ("bytes=10-9999999", 10, 768_000),
    ],
)
def test_a_range_is_answered_as_one(stored, asked, first, end):
    one = attach(stored.owner, stored.task_path, CONTENT).headers["Location"]
    answer = stored.owner.get(f"{one}/content", headers={"Range": asked})
    assert (answer.status_code, answer.data == CONTENT[first:end]) == (206, True)
    assert answer.headers["Content-Range"] == f"bytes {first}-{end - 1}/768000"
    assert answer.headers["Content-Length"] == str(end - first)


def test_a_range_that_is_not_there_or_not_wanted(scene):
    one = attach(scene.owner, scene.task_path, b"0123456789").headers["Location"] + "/content"
    beyond = assert_problem(scene.owner.get(one, headers={"Range": "bytes=10-"}), 416)
    assert beyond["status"] == 416
    tag = scene.owner.get(one).headers["ETag"]
    for headers, status in (
        ({"If-Range": tag}, 206),
        ({"If-Range": '"other"'}, 200),
        ({"If-Range": "Tue, 24 Nov 2026 00:00:00 GMT"}, 200),
    ):
        answer = scene.owner.get(one, headers={"Range": "bytes=2-3"} | headers)
        assert (answer.status_code, answer.data) == (status, b"23" if status == 206 else b"0123456789")
    for other in ("items=0-1", "bytes=0-1,3-4", "bytes", "bytes=5-2"):
        assert scene.owner.get(one, headers={"Range": other}).status_code in (200, 416)


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("../../etc/passwd", "passwd"),
        ("Łódź 100%.txt", "Łódź 100%.txt"),
        ("a\u202egnp.exe", "agnp.exe"),
        ("x" * 300 + ".txt", ("x" * 300 + ".txt")[-255:]),
    ],
)  # fmt: skip
def test_a_name_is_the_name_of_a_file(scene, name, kept):
    answer = attach(scene.owner, scene.task_path, name=name)
    assert answer.json["name"] == kept
    said = scene.owner.get(answer.headers["Location"] + "/content").headers["Content-Disposition"]
    assert said.isascii()
    assert unquote(said.partition("filename*=UTF-8''")[2]) == kept
    assert said.count('"') == 2


def test_a_file_that_is_too_large_leaves_nothing(stored):
    assert_problem(attach(stored.owner, stored.task_path, b"x" * 1_005_000), 413, code="attachment.too_large")
    assert_problem(attach(stored.owner, stored.task_path, b"x" * 1_200_000), 413)
    assert (stored.stored(), OrphanedUpload.objects.count()) == (0, 0)
    assert stored.owner.get(f"{stored.task_path}/attachments").json["items"] == []


@pytest.mark.parametrize(
    ("kind", "status"), [("image/png", 201), ("application/pdf", 201), ("text/html", 422), ("nonsense", 422)]
)
def test_the_operator_says_which_types_are_taken(other_app, kind, status):
    scene = Scene(other_app(attachment_types="image/*, application/pdf"))
    answer = attach(scene.owner, scene.task_path, kind=kind)
    assert answer.status_code == status, answer.text


def test_a_service_may_take_none(other_app):
    scene = Scene(other_app(attachment_store="null"))
    assert_problem(attach(scene.owner, scene.task_path), 409, code="attachment.none_taken")


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"{}", "application/json", 415),
        (b"", "multipart/form-data; boundary=x", 422),
        (b"x", "multipart/form-data", 422),
    ],
)
def test_a_body_that_is_no_form_is_refused(scene, body, kind, status):
    answer = scene.owner.post(f"{scene.task_path}/attachments", data=body, content_type=kind)
    assert_problem(answer, status, 400)


@pytest.mark.parametrize(
    "head", ['name="file"', 'name="other"; filename="a"', 'name="file"; filename=""', 'name="file"; filename=".."']
)
def test_a_form_without_a_file_is_refused(scene, head):
    part = f"Content-Disposition: form-data; {head}\r\n\r\nwhat is in it".encode()
    assert_problem(post_form(scene.owner, scene.task_path, part), 422)
    assert OrphanedUpload.objects.count() == 0


def test_the_same_upload_twice_is_one_attachment(stored):
    first = attach(stored.owner, stored.task_path, **{"Idempotency-Key": "k"})
    again = attach(stored.owner, stored.task_path, **{"Idempotency-Key": "k"})
    assert (again.status_code, again.json, again.headers["Idempotency-Replayed"]) == (201, first.json, "true")
    assert stored.stored() == 1
    assert_problem(attach(stored.owner, stored.task_path, b"other", **{"Idempotency-Key": "k"}), 422)
    assert (stored.stored(), OrphanedUpload.objects.count()) == (1, 0)


def test_members_add_and_delete_their_own_and_managers_any(scene):
    member = scene.member()
    for who in ("viewer", "commenter", "stranger", "anonymous"):
        assert_problem(attach(scene.who(who), scene.task_path), 401, 403, 404)
    one = attach(member, scene.task_path).headers["Location"]
    assert_problem(scene.member().delete(one, headers=ANY), 403)
    assert_problem(member.delete(one), 428)
    assert member.delete(one, headers=ANY).status_code == 204
    other = attach(member, scene.task_path).headers["Location"]
    assert scene.member("manager").delete(other, headers=ANY).status_code == 204
    assert_problem(scene.who("stranger").get(f"{other}/content"), 404)


def test_contents_go_with_their_attachment_and_their_task(stored, deliver):
    one = attach(stored.owner, stored.task_path).headers["Location"]
    attach(stored.owner, stored.task_path)
    stored.owner.delete(one, headers=ANY)
    deliver()
    assert stored.stored() == 1
    stored.owner.delete(stored.task_path, headers=ANY)
    assert_problem(stored.owner.get(f"{one}/content"), 404)
    deliver()
    assert stored.stored() == 1
    stored.owner.delete(f"/api/v1/trash/{stored.task.id}", headers=ANY)
    deliver()
    assert stored.stored() == 0


def test_a_content_that_the_store_has_lost_is_a_problem_and_no_broken_connection(stored):
    answer = attach(stored.owner, stored.task_path, CONTENT)
    one, kept = answer.headers["Location"], attachments.Attachment.objects.one(ObjectId(answer.json["id"]))
    storage.current_store().delete(kept.content_id)
    for method in ("GET", "HEAD"):
        lost = stored.owner.open(f"{one}/content", method=method)
        assert (lost.status_code, lost.content_type) == (404, "application/problem+json")
    assert_problem(stored.owner.get(f"{one}/content"), 404, "attachment.content_missing")
    part = stored.owner.get(f"{one}/content", headers={"Range": "bytes=5-9"})
    assert_problem(part, 404, "attachment.content_missing")


def test_a_folder_that_is_away_is_a_problem_that_passes(other_app, tmp_path):
    scene = Scene(other_app(attachment_store="folder", attachment_folder=tmp_path / "share"))
    one = attach(scene.owner, scene.task_path, CONTENT).headers["Location"]
    (tmp_path / "share").rename(tmp_path / "unmounted")
    assert_problem(scene.owner.get(f"{one}/content"), 503, "attachment.store_away")


def test_a_content_that_a_dead_process_left_is_dropped(stored):
    loose = OrphanedUpload(id=stored.task.id).save()
    storage.current_store().write(loose.id, iter([b"x"]))
    assert attachments.delete_orphaned_uploads() == 0
    OrphanedUpload.objects.update(set__created_at=now() - timedelta(hours=2))
    assert attachments.delete_orphaned_uploads() == 1
    assert (stored.stored(), OrphanedUpload.objects.count()) == (0, 0)


def test_a_task_has_a_hundred(scene, monkeypatch):
    monkeypatch.setattr(attachments, "MAX_ATTACHMENTS", 2)
    for _ in range(2):
        assert attach(scene.owner, scene.task_path).status_code == 201
    assert_problem(attach(scene.owner, scene.task_path), 409, code="attachment.too_many")
    assert len(database()["attachments.chunks"].distinct("files_id")) == 2


def test_the_limit_of_other_bodies_stays(scene):
    body = {"title": "x", "description": "y" * core_settings.current().max_body_bytes}
    assert_problem(scene.owner.post(scene.tasks_path, json=body), 413)
