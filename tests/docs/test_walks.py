"""The walks in docs/architecture.md are what real requests and jobs do: each hop is entered, in this order, once."""

import re
import sys
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import taskmanager
from taskmanager.testing.factories.things import PASSWORD
from tests.scene import Scene

_PACKAGE = f"{Path(taskmanager.__file__).parent}/"
_ANY = {"If-Match": "*"}
MAX_HOPS = {"Create a task": 16, "Deliver a mail": 18}


class Walk:
    """The functions of ours that are called from another module, in order, as `file:function`."""

    def __init__(self) -> None:
        self.entered: list[str] = []
        self._stack: list[tuple[int, str]] = []

    def __enter__(self) -> "Walk":
        sys.setprofile(self._see)
        return self

    def __exit__(self, *_: object) -> None:
        sys.setprofile(None)

    def _see(self, frame: FrameType, event: str, _argument: Any) -> None:
        path = frame.f_code.co_filename
        if not path.startswith(_PACKAGE):
            return
        if event == "call":
            module, name = path.removeprefix(_PACKAGE), frame.f_code.co_qualname
            if (not self._stack or self._stack[-1][1] != module) and not name.endswith("<lambda>"):
                self.entered.append(f"{module}:{name.partition('.<locals>')[0]}")
            self._stack.append((id(frame), module))
        elif event == "return" and self._stack and self._stack[-1][0] == id(frame):
            self._stack.pop()


@pytest.fixture(scope="module")
def documented(root: Path) -> dict[str, list[str]]:
    """The hops of each walk, by its title."""
    text = (root / "docs" / "architecture.md").read_text().partition("\n## Walks\n")[2].partition("\n## ")[0]
    walks = {part.partition("\n")[0].partition(":")[0]: part for part in text.split("\n### ")[1:]}
    return {title: re.findall(r"^\d+\. `([\w./]+:[\w.]+)`", part, re.MULTILINE) for title, part in walks.items()}


@pytest.fixture
def walks(other_app: Any, deliver: Callable[[], int]) -> dict[str, Callable[[], Any]]:
    """What makes each walk, by its title; the second call is like the first."""
    scene = Scene(other_app(ratelimit_enabled=True))
    owner, number = scene.owner, count()

    def create() -> Any:
        return owner.post(scene.tasks_path, json={"title": f"Task {next(number)}"})

    paths: Iterator[str] = (f"/api/v1/tasks/{create().json['id']}" for _ in iter(int, 1))
    existing = [next(paths) for _ in range(4)]
    member = str(scene.member().user.id)  # type: ignore[attr-defined]
    login = {"email": owner.user.email, "password": PASSWORD}  # type: ignore[attr-defined]

    def deliver_one() -> Any:
        return deliver()

    def assign() -> None:
        path = next(paths)
        deliver()
        assert owner.patch(path, json={"assignee_ids": [member]}, headers=_ANY).status_code == 200

    deliver_one.before = assign  # type: ignore[attr-defined]
    return {
        "Create a task": create,
        "Complete a task": lambda: owner.put(f"{existing.pop()}/completion", headers=_ANY),
        "Change a task": lambda: owner.patch(existing.pop(), json={"title": "Another"}, headers=_ANY),
        "List tasks": lambda: owner.get(scene.tasks_path),
        "Log in": lambda: scene.app.test_client().post("/api/v1/auth/login", json=login),
        "Deliver a mail": deliver_one,
    }


def test_every_walk_is_as_documented(documented: dict[str, list[str]], walks: dict[str, Callable[[], Any]]):
    assert documented.keys() == walks.keys()
    for title, make in walks.items():
        entered = _walked(make)
        hops = documented[title]
        assert [hop for hop in hops if hop not in entered] == [], f"{title}: not entered, of\n" + "\n".join(entered)
        firsts = [name for name in dict.fromkeys(entered) if name in hops]
        assert firsts == hops, f"{title}: the order"
        assert len(hops) <= MAX_HOPS.get(title, 20), title


def test_a_request_goes_down_once(documented: dict[str, list[str]], walks: dict[str, Callable[[], Any]]):
    """No part of a feature that is a hop is entered a second time."""
    for title in documented.keys() - {"Deliver a mail"}:  # which sends in the service and by mail
        entered = _walked(walks[title])
        hops = [hop for hop in documented[title] if hop.startswith("features/")]
        assert {hop: entered.count(hop) for hop in hops} == dict.fromkeys(hops, 1), title


def _walked(make: Callable[[], Any]) -> list[str]:
    before = getattr(make, "before", lambda: None)
    for _ in range(2):  # the second time, what the first has cached is there
        before()
        with Walk() as walk:
            answer = make()
        assert getattr(answer, "status_code", 200) < 300
    return walk.entered
