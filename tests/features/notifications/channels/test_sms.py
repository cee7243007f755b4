"""Text messages and chat, through a real Apprise and a provider of our own."""

import re
from datetime import timedelta

import orjson
import pytest

from taskmanager.core.clock import now
from taskmanager.core.configuration import settings as settings_module
from taskmanager.features.notifications.channels import apprise_channels
from taskmanager.features.notifications.models import Delivery, Phone
from taskmanager.testing.clients import sign_in
from taskmanager.testing.factories import UserFactory
from tests.features.notifications.conftest import prefer
from tests.receiver import Receiver

PHONE = "/api/v1/notifications/phone"
NUMBER = "+491701234567"
ANY = {"If-Match": "*"}


@pytest.fixture(scope="module")
def _provider():
    receiver = Receiver()
    receiver.open()
    yield receiver
    receiver.close()


@pytest.fixture
def provider(_provider, settings, app):
    """What text messages and chat are sent to, by URLs of the operator."""
    _provider.empty()
    place = _provider.url.replace("http", "json")
    changes = {"sms_url": f"{place}/status/200?+to={{to}}", "chat_url": f"{place}/status/200?+user={{user}}"}
    settings_module.use(settings.model_copy(update=changes | {"sms_monthly_cap": 3}))
    yield _provider
    settings_module.use(settings)


def texts(provider):
    return [(request.headers.get("to"), orjson.loads(request.body)["message"]) for request in provider.received]


@pytest.fixture
def member(scene, provider, deliver):
    """A user whose number is verified, and who wants to be told of assignments."""
    member = scene.member()
    assert member.put(PHONE, json={"number": "+49 170 123 45 67"}, headers=ANY).status_code == 200
    deliver()
    code = re.search(r"\d{6}", texts(provider)[-1][1])[0]
    answer = member.post(f"{PHONE}/confirm", json={"code": code})
    assert answer.status_code == 200 and answer.json["verified_at"]
    prefer(member, channels={"sms": {"task.assigned": True}})
    provider.empty()
    return member


def test_a_number_is_kept_in_one_form_and_shown_to_be_ones_own(member):
    assert member.get(PHONE).json["number"] == NUMBER
    stored = Phone.objects.get().to_mongo().to_dict()
    assert "nonce" not in stored


def test_an_assignment_is_told_by_text_message(member, scene, assign, provider, deliver):
    assign(member)
    deliver()
    ((to, text),) = texts(provider)
    assert to == NUMBER
    assert scene.task.key in text and f"/pages/tasks/{scene.task.id}" in text and "/api/" not in text


def test_text_messages_are_opt_in(scene, provider, assign, deliver, member):
    other = scene.member()
    prefer(other, channels={"sms": {"task.assigned": True}})  # without a number
    assign(other)
    deliver()
    assert texts(provider) == []
    prefer(member, channels={"sms": {"task.assigned": False}})
    assign(other, member)
    deliver()
    assert texts(provider) == []


def test_there_are_so_many_a_month(member, scene, provider, assign, deliver):
    for _ in range(3):  # the code was the first of three
        assign(member)
        deliver()
        assign()
        deliver()
    assert len(texts(provider)) == 2
    assert Delivery.objects(channel="sms", state="cancelled").count() == 1
    Phone.objects.update(set__month="2020-01")
    assign(member)
    deliver()
    assert len(texts(provider)) == 3


def test_a_wrong_code_is_counted_and_five_are_the_end(scene, provider, deliver):
    member = scene.member()
    member.put(PHONE, json={"number": NUMBER}, headers=ANY)
    deliver()
    code = re.search(r"\d{6}", texts(provider)[0][1])[0]
    wrong = f"{(int(code) + 1) % 10**6:06}"
    codes = [member.post(f"{PHONE}/confirm", json={"code": wrong}).json["code"] for _ in range(5)]
    assert codes == ["validation.failed"] * 5
    assert member.post(f"{PHONE}/confirm", json={"code": code}).json["code"] == "phone.expired"
    assert member.get(PHONE).json["verified_at"] is None


def test_a_code_ends_after_ten_minutes(scene, provider, deliver):
    member = scene.member()
    member.put(PHONE, json={"number": NUMBER}, headers=ANY)
    deliver()
    Phone.objects.update(set__code_until=now() - timedelta(seconds=1))
    code = re.search(r"\d{6}", texts(provider)[0][1])[0]
    assert member.post(f"{PHONE}/confirm", json={"code": code}).status_code == 409


@pytest.mark.parametrize("number", ["0170 1234567", "+49", "+4930123456", "+1 555", "json://x", "+49170123456789012"])
def test_what_is_no_mobile_number_with_its_country_is_refused(scene, provider, number):
    answer = scene.owner.put(PHONE, json={"number": number}, headers=ANY)
    assert answer.status_code == 422, answer.text


def test_another_number_has_to_be_verified_anew(member, provider, assign, deliver):
    member.put(PHONE, json={"number": "+491709999999"}, headers=ANY)
    assign(member)
    deliver()
    assert [to for to, _ in texts(provider)] == ["+491709999999"]  # the code


def test_a_removed_number_is_told_nothing_and_the_month_goes_on(member, provider, assign, deliver):
    assert member.delete(PHONE, headers=ANY).status_code == 204
    assign(member)
    deliver()
    assert texts(provider) == []
    assert Phone.objects.get().sent == 1


def test_a_provider_that_says_no_is_tried_again(member, scene, provider, assign, deliver):
    provider.status = 500
    assign(member)
    deliver()
    delivery = Delivery.objects(channel="sms", kind="task.assigned").get()
    assert (delivery.state, delivery.attempts) == ("pending", 1)


def test_where_there_is_no_provider_no_number_is_taken(scene):
    answer = scene.owner.put(PHONE, json={"number": NUMBER}, headers=ANY)
    assert (answer.status_code, answer.json["code"]) == (409, "sms.not_configured")


def test_chat_names_the_person_in_the_operators_url(scene, provider, assign, deliver):
    member = scene.member()
    prefer(member, channels={"chat": {"task.assigned": True}})
    assign(member)
    deliver()
    (request,) = provider.received
    assert request.headers["user"] == member.user.email.split("@")[0]
    assert scene.task.key in orjson.loads(request.body)["message"]


def test_a_message_counts_once_also_when_its_first_attempt_did_not_happen(
    scene, member, provider, assign, deliver, later
):
    sent = Phone.objects.get().sent
    assign(member)
    deliver()
    (delivery,) = Delivery.objects(channel="sms", kind="task.assigned")
    assert Phone.objects.get().sent == sent + 1
    # as it is left by a worker that dies between planning and sending
    again = {"set__state": "pending", "set__attempts": 1, "set__due_at": now(), "set__claimed_until": now()}
    delivery.update(**again, unset__counted=1)
    deliver()
    assert (len(provider.received), Phone.objects.get().sent) == (2, sent + 2)
    delivery.update(**again)
    deliver()
    assert (len(provider.received), Phone.objects.get().sent) == (3, sent + 2)  # tried again, counted already


def test_the_limit_of_a_number_holds_however_it_is_written(other_app, provider):
    app = other_app(ratelimit_enabled=True, ratelimit_sms="2/hour", sms_url=settings_module.current().sms_url)
    spellings = [NUMBER, "+49 170 1234567", "+49-170-1234567", "+49 (170) 1234567"]
    answers = [sign_in(app, UserFactory()).put(PHONE, json={"number": text}, headers=ANY) for text in spellings]
    assert [answer.status_code for answer in answers] == [200, 200, 429, 429]


def test_of_two_codes_that_are_asked_for_at_once_the_latter_is_sent(scene, provider, deliver):
    member = scene.member()
    for _ in range(2):
        assert member.put(PHONE, json={"number": NUMBER}, headers=ANY).status_code == 200
    deliver()
    assert len(provider.received) == 1
    code = re.search(r"\d{6}", texts(provider)[0][1])[0]
    assert member.post(f"{PHONE}/confirm", json={"code": code}).status_code == 200


def test_a_number_that_was_removed_is_not_there(member):
    assert member.delete(PHONE, headers=ANY).status_code == 204
    assert member.get(PHONE).json["number"] is None
    assert member.delete(PHONE, headers=ANY).status_code == 404
    assert member.post(f"{PHONE}/confirm", json={"code": "123456"}).status_code == 404


def test_a_provider_that_drips_is_not_waited_for_longer_than_the_channel_says(
    member, provider, assign, deliver, monkeypatch
):
    monkeypatch.setattr(apprise_channels, "_SECONDS", 0.3)
    place = provider.url.replace("http", "json")
    chosen = settings_module.current()
    settings_module.use(chosen.model_copy(update={"sms_url": f"{place}/drip?+to={{to}}"}))
    assign(member)
    deliver()
    settings_module.use(chosen)
    (delivery,) = Delivery.objects(channel="sms", kind="task.assigned")
    assert (delivery.state, delivery.last_error) == ("pending", "TimeoutError: no response in time")
