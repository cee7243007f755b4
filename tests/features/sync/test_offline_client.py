"""The reference client: offline changes, lost responses, conflicts, and a campaign of random ones."""

import random
from typing import Any
from urllib.parse import urlsplit

import pytest

from taskmanager.core.events.log import Event
from tests.features.sync.campaign import Campaign, offline_client


class InProcess:
    """What the client uses of `requests.Session`, without a network; `lost` responses are not received."""

    def __init__(self, app: Any) -> None:
        self.client, self.away, self.lost = app.test_client(), False, 0

    def request(
        self,
        method: str,
        url: str,
        *,
        headers: Any,
        data: Any = None,
        json: Any = None,
        params: Any = None,
        timeout: Any,
    ) -> Any:
        if self.away:
            raise offline_client.requests.ConnectionError
        # as `requests` does: a body that is given as `json` has the type of the headers
        body = offline_client.json.dumps(json) if json is not None else data
        response = self.client.open(urlsplit(url).path, method=method, headers=headers, data=body, query_string=params)
        if self.lost:
            self.lost -= 1
            raise offline_client.requests.ConnectionError
        return Response(response)


class Response:
    def __init__(self, response: Any) -> None:
        self.status_code, self.headers, self._response = response.status_code, response.headers, response

    def json(self) -> Any:
        return self._response.get_json()


@pytest.fixture
def campaign(other_app, tmp_path, request):
    app = other_app(direct_membership=True)
    return Campaign("http://x", lambda: InProcess(app), tmp_path, seed=random.randrange(10**6), clients=3)


def test_every_copy_equals_a_fresh_one_and_no_edit_is_lost(campaign):
    campaign.run(150)
    assert campaign.finish() == [] and not campaign.failed
    told = set(Event.objects(actor_id__ne=None).distinct("correlation.mutation_id"))
    for client in campaign.clients:
        conflicts = {one["mutation_id"] for one in client.conflicts()}
        assert conflicts.isdisjoint(told)  # what was refused has changed nothing


@pytest.fixture
def client(campaign):
    client = campaign.clients[0]
    client.sync()
    return client


def test_offline_changes_are_shown_at_once_and_sent_later_in_their_order(client, campaign):
    client.http.away = True
    task_id = client.create_task(campaign.projects[0], title="Offline")
    client.change("tasks", task_id, title="Changed")
    client.create_comment(task_id, "Hello")
    assert client.item("tasks", task_id)["title"] == "Changed"
    with pytest.raises(offline_client.Offline):
        client.sync()
    client.http.away = False
    client.sync()
    assert client.item("tasks", task_id)["revision"] == 2 and client.item("tasks", task_id)["key"]
    assert [one["text"] for one in client.items("comments")] == ["Hello"] and not client.conflicts()


def test_a_change_whose_response_was_lost_has_one_effect(client, campaign):
    task_id = client.create_task(campaign.projects[0], title="One")
    client.http.lost = 1
    with pytest.raises(offline_client.Offline):
        client.push()
    client.sync()
    client.change("tasks", task_id, title="Two")
    client.http.lost = 1
    with pytest.raises(offline_client.Offline):
        client.push()
    client.sync()
    assert [one["title"] for one in client.items("tasks")] == ["Two"] and not client.conflicts()


def test_a_conflict_is_reported_with_both_versions_and_changes_nothing(client, campaign):
    task_id = client.create_task(campaign.projects[0], title="One")
    client.sync()
    other = campaign.owner
    real = client.item("tasks", task_id)["id"]
    other.call("PATCH", f"/tasks/{real}", {"title": "Theirs"})
    client.change("tasks", task_id, title="Mine")
    client.sync()
    (conflict,) = client.conflicts()
    assert conflict["problem"]["code"] == "precondition.failed"
    assert (conflict["change"]["body"], conflict["theirs"]["title"]) == ({"title": "Mine"}, "Theirs")
    assert client.item("tasks", task_id)["title"] == "Theirs"


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
def test_a_repeated_answer_is_older_than_the_copy(client, campaign, method):
    """The response is lost, another user changes or deletes the task, and `pull` runs before `push`."""
    task_id = client.create_task(campaign.projects[0], title="Mine")
    client.http.lost = 1
    with pytest.raises(offline_client.Offline):
        client.push()
    real = campaign.owner.call("GET", "/tasks").json()["items"][0]["id"]
    campaign.owner.call(method, f"/tasks/{real}", {"title": "Theirs"} if method == "PATCH" else None)
    client.pull()
    client.push()
    after = client.item("tasks", task_id)
    assert (after and after["title"]) == ("Theirs" if method == "PATCH" else None) and not client.conflicts()


def test_a_queue_larger_than_a_body_is_sent_in_parts_and_a_refused_change_is_reported(client, campaign):
    """Found by a review: 25 large tasks were 413 at every sync, and nothing of the queue was ever sent."""
    project, text = campaign.projects[0], "x" * 45_000
    for number in range(25):
        client.create_task(project, title=f"T{number}", description=text)
    client.create_task(project, title="Huge", description="x" * 1_100_000)
    client.create_task(project, title="Last")
    client.sync()
    assert {one["title"] for one in client.items("tasks")} == {*(f"T{number}" for number in range(25)), "Last"}
    (refused,) = client.conflicts()
    assert (refused["change"]["body"]["title"], refused["problem"]["status"]) == ("Huge", 413)


def test_a_repeated_merge_hides_no_change_of_another(client, campaign):
    task_id = client.create_task(campaign.projects[0], title="One", description="One")
    client.sync()
    real = client.item("tasks", task_id)["id"]
    client.change("tasks", task_id, title="Mine")
    client.change("tasks", task_id, description="Mine")
    campaign.owner.call("PATCH", f"/tasks/{real}", {"description": "Theirs"})
    client.http.lost = 1
    with pytest.raises(offline_client.Offline):
        client.push()
    client.sync()
    (conflict,) = client.conflicts()
    assert conflict["theirs"]["description"] == "Theirs" == client.item("tasks", task_id)["description"]
