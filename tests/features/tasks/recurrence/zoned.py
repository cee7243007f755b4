"""Accounts, projects and tasks in time zones, over HTTP."""

from tests.scene import patch

ANY = {"If-Match": "*"}
TASKS = "/api/v1/tasks"


def live_in(client, zone):
    assert patch(client, "/api/v1/users/me", {"timezone": zone}).status_code == 200


def project_of(client, **body):
    answer = client.post("/api/v1/projects", json={"key": "ZONE", "name": "Zone"} | body)
    assert answer.status_code == 201, answer.text
    return answer.json


def make(client, project_id, **body):
    answer = client.post(f"/api/v1/projects/{project_id}/tasks", json={"title": body.get("due", "x")} | body)
    assert answer.status_code == 201, answer.text
    return answer.json


def following(client, task):
    done = client.put(f"{TASKS}/{task['id']}/completion", headers=ANY).json
    return client.get(f"{TASKS}/{done['next_task_id']}").json
