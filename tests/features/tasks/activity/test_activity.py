"""The activity of a task: who changed what, from what to what."""

from tests.problems import assert_problem
from tests.scene import patch


def activity(client, scene, **query):
    answer = client.get(f"{scene.task_path}/activity", query_string=query)
    assert answer.status_code == 200, answer.text
    return answer.json


def test_one_entry_tells_all_that_one_request_changed(scene):
    member = scene.member()
    assignee = str(member.user.id)
    changes = {"title": "Rewrite", "priority": "high", "due": "2026-12-01", "assignee_ids": [assignee]}
    patch(member, scene.task_path, changes)
    created, updated = activity(scene.owner, scene)["items"]
    assert (created["kind"], created["actor_id"]) == ("task.created", str(scene.owner.user.id))
    assert (updated["kind"], updated["actor_id"]) == ("task.updated", assignee)
    assert updated["changes"] == {
        "title": {"before": "Write the notes", "after": "Rewrite"},
        "priority": {"before": "none", "after": "high"},
        "due": {"before": None, "after": "2026-12-01"},
        "assignee_ids": {"before": [], "after": [assignee]},
    }


def test_completing_and_opening_again_are_told(scene):
    scene.owner.put(f"{scene.task_path}/completion", headers={"If-Match": "*"})
    scene.owner.delete(f"{scene.task_path}/completion", headers={"If-Match": "*"})
    opened, done, _ = activity(scene.owner, scene, sort="-at")["items"]
    assert (done["kind"], done["changes"]) == ("task.completed", {"status": {"before": "open", "after": "done"}})
    assert (opened["kind"], opened["changes"]) == ("task.reopened", {"status": {"before": "done", "after": "open"}})


def test_pages_hold_each_entry_once(scene):
    for number in range(4):
        patch(scene.owner, scene.task_path, {"title": f"{number}"})
    seen, cursor = [], {}
    while cursor is not None:
        page = activity(scene.owner, scene, limit=2, with_total="true", **cursor)
        assert page["total"] == 5
        seen += [entry["changes"].get("title", {}).get("after") for entry in page["items"]]
        cursor = page["next_cursor"] and {"cursor": page["next_cursor"]}
    assert seen == [None, "0", "1", "2", "3"]


def test_who_does_not_see_the_task_does_not_see_what_happened_to_it(scene):
    path = f"{scene.task_path}/activity"
    assert_problem(scene.who("stranger").get(path), 404)
    assert scene.who("viewer").get(path).status_code == 200
    scene.owner.delete(scene.task_path, headers={"If-Match": "*"})
    assert_problem(scene.owner.get(path), 404)
