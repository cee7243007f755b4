"""The main job, over real HTTP through a real gunicorn: two people, a project, an invitation, a task, a mail."""

import re

import requests

from taskmanager.testing.mailbox import text_of


class Person:
    """A user with a client."""

    def __init__(self, url: str, name: str) -> None:
        self.url, self.session = f"{url}/api/v1", requests.Session()
        account = {"email": f"{name}.journey@example.com", "password": "correct horse", "name": name.title()}
        self.id = self.send("POST", "/auth/register", account).json()["id"]
        tokens = self.send("POST", "/auth/login", {name: account[name] for name in ("email", "password")}).json()
        self.session.headers["Authorization"] = f"Bearer {tokens['access_token']}"

    def send(self, method: str, path: str, body: object = None, **headers: str) -> requests.Response:
        answer = self.session.request(method, self.url + path, json=body, headers=headers, timeout=60)
        assert answer.ok, answer.text
        return answer


def test_from_registering_to_the_mail(server, mail, deliver):
    ada, grace = Person(server.url, "ada"), Person(server.url, "grace")
    project = ada.send("POST", "/projects", {"key": "JRN", "name": "Journey"}).json()
    invited = {"email": "grace.journey@example.com", "role": "member"}
    assert ada.send("POST", f"/projects/{project['id']}/members", invited).status_code == 202
    deliver()
    (token,) = re.findall(r"tc_[\w-]+", text_of(mail.to("grace.journey@example.com")[-1]))
    grace.send("POST", "/invitations/accept", {"token": token})
    task = ada.send("POST", f"/projects/{project['id']}/tasks", {"title": "Pack"})
    path = f"/tasks/{task.json()['id']}"
    ada.send("PATCH", path, {"assignee_ids": [grace.id]}, **{"If-Match": task.headers["ETag"]})
    deliver()
    assert len(mail.to("ada.journey@example.com")) == 1  # to confirm the address
    assert "Pack" in mail.to("grace.journey@example.com")[-1]["Subject"]
    seen = grace.send("GET", path)
    done = grace.send("PUT", f"{path}/completion", **{"If-Match": seen.headers["ETag"]}).json()
    assert (done["key"], done["status"]) == ("JRN-1", "done")
    grace.send("POST", "/auth/logout")
    assert grace.session.get(f"{grace.url}{path}", timeout=60).status_code == 401
