"""A receiver, and webhooks that go to it."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from taskmanager.core.clock import now
from taskmanager.core.configuration import settings as settings_module
from taskmanager.features.notifications.models import Delivery
from taskmanager.features.webhooks.models import Webhook
from tests.receiver import Receiver


@pytest.fixture(scope="session")
def _receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    receiver.open()
    yield receiver
    receiver.close()


@pytest.fixture
def receiver(_receiver: Receiver, settings, app) -> Iterator[Receiver]:
    """Our own address is allowed, and a busy machine has time for an attempt."""
    _receiver.empty()
    changes = {"webhook_allow": "127.0.0.1", "webhook_timeout_seconds": 20.0}
    settings_module.use(settings.model_copy(update=changes))
    yield _receiver
    settings_module.use(settings)


@pytest.fixture
def impatient(receiver: Receiver) -> None:
    """An attempt ends after a second, for receivers that hang."""
    settings_module.use(settings_module.current().model_copy(update={"webhook_timeout_seconds": 1.0}))


@pytest.fixture
def hook(scene, receiver) -> Callable[..., Any]:
    """Makes a webhook of the scene's project: `hook("/ok", events=["task.*"])`; answers what the API did."""

    def make(path: str = "/ok", *, client: Any = None, own: bool = False, **fields: Any) -> Any:
        body = {"url": receiver.url + path, "events": ["*"]} | fields
        place = "/api/v1/webhooks" if own else f"{scene.project_path}/webhooks"
        answer = (client or scene.owner).post(place, json=body)
        assert answer.status_code == 201, answer.text
        return answer.json

    return make


@pytest.fixture
def again(deliver) -> Callable[[], None]:
    """Let all that waits be due, whatever rests, and deliver it."""

    def run() -> None:
        Webhook.objects.update(unset__backoff_until=True)
        Delivery.objects(state="pending").update(set__due_at=now(), set__claimed_until=now())
        deliver()

    return run


def only() -> Delivery:
    return Delivery.objects(channel="webhook").get()
