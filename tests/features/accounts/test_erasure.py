"""Nothing that is kept tells who a deleted account was: neither name, nor address, nor where they were."""

from bson import encode

from taskmanager.core.servers.stores import cache_store, queue_store
from taskmanager.core.storage import database
from taskmanager.testing.clients import sign_in
from taskmanager.testing.factories import MembershipFactory, UserFactory
from tests.scene import patch

ANY = {"If-Match": "*"}
NAME, FORMER, ADDRESS, NETWORK = "Gwendolin", "gwen.before@example.com", "gwen.now@example.com", "203.0.113.77"
TOLD = tuple(word.encode() for word in (NAME, NAME.lower(), FORMER, ADDRESS, NETWORK))


def places():
    """Where something stands that tells who it was."""
    base = database.database()
    found = {
        (name, word.decode())
        for name in base.list_collection_names()
        for row in base[name].find()
        for word in TOLD
        if word in encode(row)
    }
    for store in (queue_store(), cache_store()):
        # a finished job keeps for ten minutes where the request came from that caused it
        found |= {(key.decode(), "") for key in store.scan_iter() if any(word in store.dump(key) for word in TOLD[:-1])}
    return found


def test_a_deleted_account_is_nowhere(scene, deliver, client):
    user = UserFactory(email=FORMER, name=NAME)
    MembershipFactory(project=scene.project, user=user, role="manager")
    person = sign_in(scene.app, user)
    person.environ_base["REMOTE_ADDR"] = NETWORK
    client.environ_base["REMOTE_ADDR"] = NETWORK
    client.post("/api/v1/auth/login", json={"email": FORMER, "password": "wrong wrong wrong"})
    client.post("/api/v1/auth/password-reset", json={"email": FORMER})
    deliver()
    type(user).objects(id=user.id).update(set__email=ADDRESS)
    database.database()["events"].insert_one(
        {"kind": "user.email_changed", "stream": f"user:{user.id}", "seq": 900, "subject_id": user.id, "audited": True,
         "data": {"before": FORMER}, "correlation": {"address": NETWORK}}
    )  # fmt: skip
    client.post("/api/v1/auth/login", json={"email": ADDRESS, "password": "wrong wrong wrong"})
    patch(person, scene.task_path, {"assignee_ids": [str(scene.owner.user.id)], "title": "New"})
    person.post(f"{scene.task_path}/comments", json={"text": f"Hello @{scene.owner.user.email}"})
    person.post(f"{scene.project_path}/share-links", json={"role": "viewer", "name": "Link"})
    person.post(f"{scene.project_path}/members", json={"email": "else@example.com", "role": "member"})
    deliver()
    assert {"users", "events", "notifications"} <= {name for name, _ in places()}
    again = sign_in(scene.app, user.reload())
    assert again.delete("/api/v1/users/me", headers=ANY).status_code == 204
    deliver()
    assert places() == set()
    assert scene.owner.get("/api/v1/notifications").json["items"], "what others were told stays, with another name"
