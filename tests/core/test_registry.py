"""A process that has loaded no features refuses to work, instead of doing nothing without a word."""

import pytest
from bson import ObjectId

from taskmanager.core import registry
from taskmanager.core.events import erasure, outbox, retention, schedule
from taskmanager.core.events.log import Event, listeners_of, record
from taskmanager.core.jobs import perform
from taskmanager.core.registry import Part, RegistryNotLoaded, derived
from taskmanager.feature import Feature, build_registry
from taskmanager.features.notifications.channels import base as channels
from taskmanager.features.notifications.content import registry as notices


@pytest.fixture
def unloaded(contribute):
    """This process as it is before `create_app`."""
    registry.use(None)


USES = {
    "record": lambda happened: record(happened()),
    "relay": lambda happened: outbox.relay_batch(),
    "scheduler": lambda happened: schedule.run_due(),
    "list of periodic jobs": lambda happened: schedule.listed(),
    "job": lambda happened: perform("test.hearing", str(ObjectId())),
    "retention": lambda happened: retention.remove_old(),
    "erasure": lambda happened: erasure.refresh_copies([]),
    "channel": lambda happened: channels.find("email"),
    "channels of a user": lambda happened: channels.personal(),
    "notices": lambda happened: notices.write_notices(Event(kind="task.created")),
}


@pytest.mark.parametrize("use", USES.values(), ids=USES)
def test_without_features_it_says_what_to_call(unloaded, happened, use):
    with pytest.raises(RegistryNotLoaded, match=r"call taskmanager\.app\.create_app\(settings\)"):
        use(happened)


def test_nothing_is_recorded_and_nothing_acknowledged_without_features(happened, listening):
    listening("test.hearing")
    record(happened())
    loaded = registry.current()
    registry.use(None)
    for refused in (lambda: record(happened()), outbox.relay_batch):
        with pytest.raises(RegistryNotLoaded):
            refused()
    registry.use(loaded)
    assert [event.pending for event in Event.objects] == [["test.hearing"]]


def test_a_registry_cannot_be_added_to(app):
    listeners = registry.current().parts["listeners"]
    with pytest.raises(TypeError):
        listeners["test.late"] = None
    with pytest.raises(TypeError):
        registry.current().parts["listeners"] = {}


def test_a_part_shows_what_is_in_use_now(contribute):
    scopes: Part[str] = Part("scopes")
    before = list(scopes)
    contribute(scopes=("test:read",))
    assert list(scopes) == [*before, "test:read"]
    with registry.using(build_registry([Feature("alone", scopes=("alone:read",))])):
        assert dict(scopes) == {"alone:read": "alone:read"}
    assert list(scopes) == [*before, "test:read"]


def test_what_is_derived_is_worked_out_once_for_each_registry(contribute):
    asked = []

    @derived
    def number():
        asked.append(1)
        return len(Part("scopes"))

    first = (number(), number())
    contribute(scopes=("test:read",))
    assert number() == first[0] + 1
    assert len(asked) == 2


def test_a_listener_hears_of_kinds_that_other_features_contribute(contribute):
    from taskmanager.core.events.log import listen

    hear = listen(name="test.all", more_kinds=lambda: Part("scopes"))(lambda event: None)
    contribute(listeners=(hear,))
    contribute(scopes=("test.happened",))
    assert listeners_of("test.happened") == ["test.all"]
