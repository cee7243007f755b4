"""Real servers, and the application with this plugin."""

from taskmanager.testing.factories import TaskFactory


def test_what_is_completed_is_counted(caller, user, project, deliver):
    client = caller(user)
    task = TaskFactory(project=project)
    answer = client.put(f"/api/v1/tasks/{task.id}/completion", headers={"If-Match": "*"})
    assert answer.status_code == 200, answer.text
    deliver()
    assert client.get(f"/api/v1/x/example/projects/{project.id}/completions").json == {"completions": 1}


def test_a_stranger_learns_nothing(caller, project):
    assert caller().get(f"/api/v1/x/example/projects/{project.id}/completions").status_code == 404
