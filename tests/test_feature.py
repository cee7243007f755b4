"""What features contribute is put together once; what does not fit together is refused in one sentence."""

import sys
from types import ModuleType

import click
import pytest

from taskmanager.core.errors import Misconfigured
from taskmanager.core.events.log import Listener, listen
from taskmanager.core.events.outbox import JobSource
from taskmanager.core.events.schedule import every
from taskmanager.core.filters.kinds import IntegerKind
from taskmanager.core.filters.nodes import FilterField
from taskmanager.core.jobs import Job
from taskmanager.core.security.permissions import Action
from taskmanager.feature import Feature, build_registry, declared, described
from taskmanager.features.notifications.channels.in_app import InAppChannel
from taskmanager.features.notifications.content.registry import writes
from taskmanager.features.notifications.kinds import Kind
from taskmanager.features.tasks.expansions import Expansion
from taskmanager.features.webhooks.kinds import WebhookKind
from taskmanager.web.blueprint import Blueprint


def hear(name="test.hear"):
    return listen("test.happened", name=name)(lambda event: None)


SAME = {
    "listener 'test.hear'": {"listeners": (hear(),)},
    "periodic job 'test.hourly'": {"periodic_jobs": (every(60, name="test.hourly")(lambda: None),)},
    "channel 'in_app'": {"channels": (InAppChannel(),)},
    "notice about events of the kind 'test.happened'": {"notices": (writes("test.happened")(lambda event: []),)},
    "scope 'test:read'": {"scopes": ("test:read",)},
    "webhook kind 'test.happened'": {"webhook_kinds": {"test.happened": WebhookKind("test:read")}},
    "notification kind 'test.told'": {"notification_kinds": {"test.told": Kind(frozenset())}},
    "filter field 'size'": {"filter_fields": {"size": FilterField("size", IntegerKind())}},
    "expansion 'owner'": {"expansions": {"owner": Expansion("_id", False, dict, "test:read")}},
    "file storage 'tape'": {"storages": {"tape": InAppChannel}},
    "command 'wipe'": {"commands": (click.Command("wipe"),)},
    "blueprint 'words'": {"blueprints": (Blueprint("words", __name__),)},
    "package of migrations 'json'": {"migrations": ("json",)},
}


@pytest.mark.parametrize(("what", "things"), SAME.items(), ids=SAME)
def test_two_features_that_contribute_the_same_are_named(what, things):
    sentence = f"the {what} is contributed twice: by the features 'first' and 'second'"
    with pytest.raises(Misconfigured) as refused:
        build_registry([Feature("first", **things), Feature("second", **things)])
    assert refused.value.detail == sentence


def test_one_feature_cannot_contribute_the_same_twice():
    with pytest.raises(Misconfigured, match="by the features 'only' and 'only'"):
        build_registry([Feature("only", listeners=(hear(), hear()))])


def test_two_features_cannot_have_one_name():
    with pytest.raises(Misconfigured, match="two features have the name 'same'"):
        build_registry([Feature("same"), Feature("same")])


def test_a_channel_that_lacks_something_is_refused():
    with pytest.raises(Misconfigured, match=r"channels: .* \(queue, seconds, .* missing\), not a type"):
        build_registry([Feature("half", channels=(type("Half", (), {"name": "half"}),))])


@pytest.mark.parametrize("other", ["jobs", "job_sources"])
def test_a_job_cannot_have_the_name_of_a_listener(other):
    things = {"jobs": (Job("test.hear", print),), "job_sources": (JobSource("test.hear", lambda known, room: 0),)}
    with pytest.raises(Misconfigured, match=r"'test\.hear' of the feature 'b' has the name of a listener of .* 'a'"):
        build_registry([Feature("b", **{other: things[other]}), Feature("a", listeners=(hear(),))])


def test_a_job_and_a_source_of_jobs_may_share_a_name():
    assert build_registry([Feature("a", jobs=(Job("a.b", print),), job_sources=(JobSource("a.b", max),))])


@pytest.mark.parametrize("part", ["commands", "blueprints", "permissions"])
def test_what_stands_below_the_name_of_a_plugin_may_be_called_as_in_another(part):
    class TestAction(Action):
        pass

    things = {"commands": click.Command("wipe"), "blueprints": Blueprint("words", __name__), "permissions": TestAction}
    thing = {part: (things[part],)}
    features = [Feature("own", **thing), *(Feature(name, requires="1.0", **thing) for name in ("first", "second"))]
    assert list(build_registry(features).parts[part].values()) == [things[part]] * 3
    with pytest.raises(Misconfigured, match="is contributed twice: by the features 'first' and 'first'"):
        build_registry([Feature("first", requires="1.0", **{part: thing[part] * 2})])


def test_a_module_declares_in_the_order_of_its_lines():
    module = ModuleType("declaring")
    module.second, module.first, module.other = hear("test.second"), hear("test.first"), every(60, name="x")(print)
    assert [one.name for one in declared(Listener, module)] == ["test.second", "test.first"]


def test_what_a_feature_adds_is_listed_by_name():
    feature = Feature("words", "2.1", requires="1.0", listeners=(hear(),), scopes=("test:read",))
    adds = {"listeners": ["test.hear"], "scopes": ["test:read"]}
    assert described(feature) == {
        "name": "words", "version": "2.1", "interface": "1.0", "service": "task", "adds": adds
    }  # fmt: skip


def test_importing_the_interface_imports_no_feature():
    assert "taskmanager.features" not in vars(sys.modules["taskmanager.feature"])


def test_a_storage_that_there_is_not_is_refused_at_start(other_app):
    with pytest.raises(Misconfigured, match=r"TASKMANAGER_ATTACHMENT_STORE: .* there are gridfs, folder, null"):
        other_app(attachment_store="s3")
