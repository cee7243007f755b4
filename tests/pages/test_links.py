"""Where links lead: to the pages of the service, or to the front end of the operator."""

import pytest
from bson import ObjectId

from config.settings import load
from taskmanager.core.configuration import settings
from taskmanager.core.errors import Misconfigured
from taskmanager.core.http import links

ID, PROJECT = ObjectId("65f1c0ffee0123456789abcd"), ObjectId("65f1c0ffee0123456789abce")


@pytest.fixture
def with_settings(monkeypatch):
    def use(**variables):
        for name, value in variables.items():
            monkeypatch.setenv(f"TASKMANAGER_{name.upper()}", value)
        monkeypatch.setattr(settings, "_current", load())

    return use


def task():
    return links.task(ID, key="APP-1", project_id=PROJECT)


def test_without_a_front_end_they_lead_to_our_pages(with_settings):
    with_settings(public_url="https://tasks.example.com/pm/")
    assert task() == f"https://tasks.example.com/pm/pages/tasks/{ID}"
    assert links.confirmation("tc_x") == "https://tasks.example.com/pm/pages/confirm?token=tc_x"


def test_with_a_front_end_they_lead_there_but_those_that_are_left_to_us(with_settings):
    with_settings(app_url="https://app.example.com/base/", link_reset="page", link_task="/#/p/{project_id}/{key}")
    assert task() == f"https://app.example.com/base/#/p/{PROJECT}/APP-1"
    assert links.project(PROJECT) == f"https://app.example.com/base/projects/{PROJECT}"
    assert links.invitation(ID, "tc_x") == f"https://app.example.com/base/invitations/{ID}?token=tc_x"
    assert links.password_reset("tc_x") == "http://127.0.0.1:8000/pages/reset?token=tc_x"
    assert links.one_click_unsubscribing("tu_x").startswith("http://127.0.0.1:8000/api/v1/")


def test_a_pattern_may_be_a_url_of_its_own(with_settings):
    with_settings(link_invitation="https://join.example.com/{token}")
    assert links.invitation(ID, "tc_x") == "https://join.example.com/tc_x"
    assert links.invitation(ID) == f"http://127.0.0.1:8000/pages/invitations/{ID}"
    assert task() == f"http://127.0.0.1:8000/pages/tasks/{ID}"


def test_a_path_without_a_front_end_is_refused_at_start(with_settings):
    with pytest.raises(Misconfigured, match="TASKMANAGER_LINK_TASK needs TASKMANAGER_APP_URL"):
        with_settings(link_task="/t/{id}")


def test_what_is_filled_in_stays_in_its_place(with_settings):
    with_settings(app_url="https://app.example.com", link_task="/{key}")
    assert links.task(ID, key="../a?b#c", project_id=PROJECT) == "https://app.example.com/..%2Fa%3Fb%23c"
