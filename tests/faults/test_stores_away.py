"""Valkey killed and Valkey hung, the queue and the cache: requests go on, limits bite, mail arrives later."""

import pytest

from tests.faults.stack import Stack, freeze, kill, thaw
from tests.faults.web_client import WebClient

pytestmark = pytest.mark.timeout(300)

LONGEST_DELAY = 6.0  # a wait is of 0.25 s; the rest is room for other work on the machine


@pytest.fixture(params=["killed", "hung"])
def how(request):
    return request.param


@pytest.fixture(params=["queue", "cache"])
def outage(request, how, stack: Stack, web: WebClient):
    """One of the stores is away for the length of the test; answers how to bring it back."""
    store = getattr(stack, request.param)
    normal(web)
    kill(store) if how == "killed" else freeze(store)

    def end():
        thaw(store)
        if store.pid is None:
            store.start()

    yield end
    end()


def normal(web):
    """How long a request takes when nothing is wrong, at most."""
    return max(web.get("/api/v1/projects").seconds for _ in range(5))


def steps(web, person):
    """What a person does: writes, reads, and logs in."""
    key = f"S{next(_keys)}"
    made = web.send("POST", "/api/v1/projects", {"key": key, "name": "Stores"})
    project = made.body.get("id")
    task = web.send("POST", f"/api/v1/projects/{project}/tasks", {"title": "Do it"})
    return [
        made,
        task,
        web.get(f"/api/v1/projects/{project}/tasks"),
        web.get("/api/v1/projects"),
        web.send("PATCH", f"/api/v1/tasks/{task.body.get('id')}", {"title": "Do it now"}, If_Match="*"),
        person.login(),
    ]


_keys = iter(range(1, 10_000))


def test_reads_writes_and_login_go_on(outage, web, capsys):
    person = web.another().register()
    answers = [answer for _ in range(4) for answer in steps(web, person)]
    slowest = max(answer.seconds for answer in answers)
    with capsys.disabled():
        print(f"\n{len(answers)} requests, slowest {slowest:.2f} s")
    assert [answer.status for answer in answers] == [201, 201, 200, 200, 200, 200] * 4
    assert slowest < LONGEST_DELAY


def test_many_at_once_wait_no_longer(outage, web, capsys):
    answers = [answer.result() for answer in web.get_in_parallel("/api/v1/projects", 30)]
    slowest = max(answer.seconds for answer in answers)
    with capsys.disabled():
        print(f"\n30 at once, slowest {slowest:.2f} s")
    assert {answer.status for answer in answers} == {200}
    assert slowest < LONGEST_DELAY


def test_the_limit_of_logins_still_bites(outage, web, capsys):
    person = web.another().register()
    statuses = [person.login("wrong password").status for _ in range(14)]
    with capsys.disabled():
        print(f"\nlogins: {statuses}")
    assert set(statuses[:8]) == {401}
    assert statuses[-1] == 429


def test_logout_is_final_at_once(outage, web):
    person = web.another().register()
    assert person.get("/api/v1/users/me").status == 200
    assert person.send("POST", "/api/v1/auth/logout").status == 204
    assert person.get("/api/v1/users/me").status == 401


def test_mail_for_what_was_recorded_meanwhile_arrives_afterwards(outage, stack: Stack, web, capsys):
    colleague = web.another().register()
    project = web.send("POST", "/api/v1/projects", {"key": f"S{next(_keys)}", "name": "Stores"}).body["id"]
    member = colleague.joins(project, by=web)
    assignees = {"title": "Later", "assignee_ids": [member]}
    for _ in range(3):
        assert web.send("POST", f"/api/v1/projects/{project}/tasks", assignees).status == 201
    outage()
    seconds = stack.delivered()
    mails = [count for (_, to), count in stack.mailed("[S").items() if colleague.email in to]
    with capsys.disabled():
        print(f"\n{len(mails)} mails {seconds:.1f} s after the return")
    assert mails == [1, 1, 1]
