"""A body that comes slowly, and a password that is hashed, take no place from those that need the database."""

import io
import threading

import bcrypt
import pytest

from taskmanager.core.storage.database import capacity
from taskmanager.testing.factories.things import PASSWORD


@pytest.fixture
def one_place(app, settings):
    capacity.set_threads(1)
    yield
    capacity.set_threads(settings.web_threads)


class Slow(io.RawIOBase):
    """A body whose second half comes when it is let."""

    def __init__(self, body):
        self._end, self._place = len(body), 0
        self._parts, self.begun, self.let = [body[:5], body[5:]], threading.Event(), threading.Event()

    def readable(self):
        return True

    def seek(self, offset, whence=io.SEEK_SET):  # how the test client finds out how long it is
        self._place = self._end if whence == io.SEEK_END else offset
        return self._place

    def tell(self):
        return self._place

    def readinto(self, buffer):
        if not self._parts:
            return 0
        if self.begun.is_set():
            assert self.let.wait(30)
        self.begun.set()
        part = self._parts.pop(0)
        buffer[: len(part)] = part
        return len(part)


def in_background(send):
    answers = []
    thread = threading.Thread(target=lambda: answers.append(send()))
    thread.start()
    return thread, answers


FORM = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\nabc\r\n--x--\r\n'


@pytest.mark.parametrize(
    ("place", "body", "kind"),
    [
        ("tasks", b'{"title": "slow"}', "application/json"),
        ("attachments", FORM, "multipart/form-data; boundary=x"),
    ],
)
@pytest.mark.parametrize("headers", [{}, {"Idempotency-Key": "slow"}])
def test_a_slow_body_holds_no_place(scene, one_place, place, body, kind, headers):
    slow, path = Slow(body), scene.tasks_path if place == "tasks" else f"{scene.task_path}/attachments"
    length = {"CONTENT_LENGTH": str(len(body))}
    thread, answers = in_background(
        lambda: scene.owner.post(path, input_stream=slow, content_type=kind, headers=headers, environ_overrides=length)
    )
    assert slow.begun.wait(30)
    assert scene.who("viewer").get(scene.task_path).status_code == 200
    slow.let.set()
    thread.join(30)
    assert [answer.status_code for answer in answers] == [201], answers[0].text


def test_hashing_holds_no_place(scene, one_place, client, monkeypatch):
    begun, let, reader = threading.Event(), threading.Event(), scene.who("viewer")
    real = bcrypt.hashpw

    def slow(*args):
        begun.set()
        assert let.wait(30)
        return real(*args)

    monkeypatch.setattr(bcrypt, "hashpw", slow)
    body = {"email": "slow@example.com", "password": PASSWORD, "name": "Slow"}
    thread, answers = in_background(
        lambda: client.post("/api/v1/auth/register", json=body, headers={"Idempotency-Key": "slow"})
    )
    assert begun.wait(30)
    assert reader.get(scene.task_path).status_code == 200
    let.set()
    thread.join(30)
    assert [answer.status_code for answer in answers] == [201]
