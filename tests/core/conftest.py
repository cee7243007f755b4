"""What the kernel is tested with: facts and listeners of its own, and a database that fails on demand."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest
from bson import ObjectId
from flask import Flask

from taskmanager.core.events import log as events
from taskmanager.core.events.log import Event, Fact
from taskmanager.testing.contributions import Contributions
from tests.failpoints import failpoint


@dataclass(frozen=True)
class Happened(Fact):
    """Something happened in a stream."""

    kind: ClassVar[str] = "test.happened"
    name: str = "a"
    value: int = 0

    def stream(self) -> str:
        return f"test:{self.name}"

    def subject(self) -> ObjectId:
        return ObjectId()

    def actor_id(self) -> None:
        return None

    def data(self) -> dict[str, Any]:
        return {"value": self.value}


@pytest.fixture
def happened() -> type[Happened]:
    return Happened


class Hearing:
    """A listener that remembers what it heard, and raises `trouble` when there is some."""

    def __init__(self) -> None:
        self.heard: list[int] = []
        self.trouble: Exception | None = None

    def __call__(self, event: Event) -> None:
        if self.trouble:
            raise self.trouble
        self.heard.append(event.data["value"])


@pytest.fixture
def listening(contribute: Contributions) -> Callable[..., Hearing]:
    """Contributes a listener of `Happened` for the length of a test."""

    def listen(name: str = "test.hearing", queue: str = "default", **options: Any) -> Hearing:
        hearing = Hearing()
        contribute(listeners=(events.Listener(name, frozenset({Happened.kind}), queue, hearing, **options),))
        return hearing

    return listen


@pytest.fixture
def failing(app: Flask) -> Callable[..., AbstractContextManager[None]]:
    """`with failing("insert", errorCode=112, times=1):` MongoDB refuses these commands of this test process."""

    def fail(
        *commands: str, times: int = 1, labels: tuple[str, ...] = (), **error: Any
    ) -> AbstractContextManager[None]:
        return failpoint(*commands, times=times, errorLabels=list(labels), **error)

    return fail
