"""What people type and paste, on any keyboard and from any system, does the right thing or is refused clearly."""

# ruff: noqa: RUF001 characters that look like others are what is tested

import hashlib
import unicodedata
from base64 import b64encode

import bcrypt
import pytest

from taskmanager.features.users.administration import service as administration
from taskmanager.features.users.models import User
from taskmanager.testing.factories import MembershipFactory, UserFactory
from taskmanager.testing.factories.things import PASSWORD
from tests.features.files import attach
from tests.problems import assert_problem
from tests.scene import patch

COMPOSED, DECOMPOSED = (unicodedata.normalize(form, "Müller Ångström café") for form in ("NFC", "NFD"))

PASTED_ADDRESSES = {
    "outer spaces": "  ada@example.com\t",
    "no-break space": "\u00a0ada@example.com",
    "zero-width space": "\u200bada@example.com\u200b",
    "byte order mark": "\ufeffada@example.com",
    "embedding of an address book": "\u202aada@example.com\u202c",
    "full-width letters": "ａｄａ＠example.com",
    "large letters": "ADA@Example.COM",
}


@pytest.mark.parametrize("typed", PASTED_ADDRESSES.values(), ids=PASTED_ADDRESSES)
def test_an_address_is_one_however_it_is_pasted(client, typed):
    account = {"email": typed, "password": "correct horse", "name": "Ada"}
    made = client.post("/api/v1/auth/register", json=account)
    assert (made.status_code, made.json["email"]) == (201, "ada@example.com")
    again = account | {"email": "ada@example.com"}
    assert_problem(client.post("/api/v1/auth/register", json=again), 409, code="user.email_taken")
    assert client.post("/api/v1/auth/login", json={"email": typed, "password": "correct horse"}).status_code == 200


@pytest.mark.parametrize(
    "typed", ["info@bücher.example.com", "info@BÜCHER.example.com", "info@xn--bcher-kva.example.com"]
)
def test_an_international_domain_is_kept_in_its_ascii_form(client, typed):
    made = client.post("/api/v1/auth/register", json={"email": typed, "password": "correct horse", "name": "Ada"})
    assert (made.status_code, made.json["email"]) == (201, "info@xn--bcher-kva.example.com")


@pytest.mark.parametrize(
    "typed",
    [
        "ädа@example.com",
        "ada@exa mple.com",
        "ada@例え..テスト",
        "mailto:ada@example.com",
        "Ada <ada@example.com>",
        "ada\u200b@example.com",
        "ada@\u202eexample.com",
        "@example.com",
    ],
)
def test_what_is_no_address_is_refused_by_its_place(client, typed):
    answer = client.post("/api/v1/auth/register", json={"email": typed, "password": "correct horse", "name": "Ada"})
    assert [error["location"] for error in assert_problem(answer, 422)["errors"]] == ["body.email"]


@pytest.mark.parametrize("local", ["o'brien", "ada+work", "first.last", "a_b", "x/y=z", "{curly}"])
def test_mail_reaches_addresses_of_unusual_forms(scene, mail, deliver, local):
    user = UserFactory(email=f"{local}@example.com", name="Ada, O'Brien; (Work)")
    MembershipFactory(project=scene.project, user=user, role="member")
    patch(scene.owner, scene.task_path, {"assignee_ids": [str(user.id)]})
    deliver()
    (message,) = mail.messages
    assert message["To"].addresses[0].addr_spec == f"{local}@example.com"


def test_a_name_is_kept_composed_and_without_what_cannot_be_seen_around_it(scene):
    for typed in (DECOMPOSED, f"\ufeff{COMPOSED}\u200b", f" {COMPOSED}\u00a0"):
        assert patch(scene.owner, scene.task_path, {"title": typed}).json["title"] == COMPOSED


@pytest.mark.parametrize(
    "typed", ["\u200b", "\u2800", "\u3164", "\ufeff \u2060", "\u00ad", "\u202e\u202c", "\u200d", ""]
)
def test_a_name_in_which_nothing_can_be_seen_is_refused(scene, typed):
    answer = patch(scene.owner, scene.task_path, {"title": typed})
    assert assert_problem(answer, 422)["errors"][0]["location"] == "body.title"


@pytest.mark.parametrize(
    "typed",
    [
        "👩‍🚀 lands",
        "🏴󠁧󠁢󠁥󠁮󠁧󠁿",
        "می‌خواهم",
        "שָׁלוֹם",
        "日本語の題名",
        "ไทย",
        "नमस्ते",
        "𝒻ancy",
        "a\u200fb",
        "1️⃣ first",
        "שלום!\u200f",
    ],
)
def test_text_of_every_script_stays_as_it_was_typed(scene, typed):
    assert patch(scene.owner, scene.task_path, {"title": typed}).json["title"] == unicodedata.normalize("NFC", typed)


def test_two_labels_that_look_the_same_are_one(scene):
    place = f"{scene.project_path}/labels"
    assert scene.owner.post(place, json={"name": COMPOSED, "color": "#33aa77"}).status_code == 201
    assert_problem(scene.owner.post(place, json={"name": DECOMPOSED, "color": "#33aa77"}), 409)


def test_a_file_name_of_another_system_is_composed(scene):
    assert attach(scene.owner, scene.task_path, b"a", name=f"{DECOMPOSED}.txt").json["name"] == f"{COMPOSED}.txt"


# --- passwords ------------------------------------------------------------------------------------------------


def log_in(client, user, password):
    return client.post("/api/v1/auth/login", json={"email": user.email, "password": password}).status_code


@pytest.mark.parametrize(
    ("set_to", "typed"), [(COMPOSED, DECOMPOSED), (DECOMPOSED, COMPOSED), ("ｐａｓｓｗｏrd １", "password 1")]
)
def test_a_password_is_the_same_on_every_keyboard(client, set_to, typed):
    account = {"email": "ada@example.com", "password": set_to, "name": "Ada"}
    assert client.post("/api/v1/auth/register", json=account).status_code == 201
    assert log_in(client, User.objects.get(), typed) == 200
    assert log_in(client, User.objects.get(), f"{typed}x") == 401


def test_a_password_that_was_set_before_in_another_form_still_fits(client):
    user = UserFactory()
    as_typed = bcrypt.hashpw(b64encode(hashlib.sha256(DECOMPOSED.encode()).digest()), bcrypt.gensalt(4)).decode()
    User.objects(id=user.id).update(set__password_hash=as_typed)
    assert log_in(client, user, DECOMPOSED) == 200
    assert log_in(client, user, PASSWORD) == 401


# --- mentions and reactions -----------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["请@{}看", "＠{} please", "(@{})", "@{}, thanks", "see @{}.", "**@{}**"])
@pytest.mark.parametrize("by", ["address", "id"])
def test_a_mention_is_found_wherever_people_put_it(scene, text, by):
    member = UserFactory(email="o'brien@example.com")
    MembershipFactory(project=scene.project, user=member, role="member")
    named = member.email if by == "address" else str(member.id)
    made = scene.owner.post(f"{scene.task_path}/comments", json={"text": text.format(named)})
    assert made.json["mentioned_ids"] == [str(member.id)]


@pytest.mark.parametrize("text", ["mail bob@{}", "x@{}y", "a@@{}"])
def test_what_only_looks_like_a_mention_is_none(scene, text):
    made = scene.owner.post(f"{scene.task_path}/comments", json={"text": text.format(scene.owner.user.id)})
    assert made.json["mentioned_ids"] == []


@pytest.fixture
def reactions(scene):
    return scene.owner.post(f"{scene.task_path}/comments", json={"text": "Hello"}).headers["Location"] + "/reactions"


@pytest.mark.parametrize("emoji", ["1️⃣", "#️⃣", "🏴󠁧󠁢󠁥󠁮󠁧󠁿", "👨‍👩‍👧‍👦", "🫶🏿", "™️", "☺️", "🇺🇳", "-1"])
def test_every_emoji_is_a_reaction(scene, reactions, emoji):
    assert scene.owner.put(f"{reactions}/{emoji.replace('#', '%23')}").json["reactions"][0]["emoji"] == emoji


@pytest.mark.parametrize("text", ["あ", "𝒻", "🇺", "👍👎", "☺️x", "\u200d", "\ufe0f"])
def test_nothing_else_is(scene, reactions, text):
    assert_problem(scene.owner.put(f"{reactions}/{text}"), 404)


def test_an_emoji_is_one_with_and_without_its_variation_selector(scene, reactions):
    scene.owner.put(f"{reactions}/❤")
    answer = scene.who("manager").put(f"{reactions}/❤️")
    assert [(reaction["emoji"], len(reaction["user_ids"])) for reaction in answer.json["reactions"]] == [("❤️", 2)]
    assert scene.owner.delete(f"{reactions}/❤").json["reactions"][0]["user_ids"] != []


def test_an_administrator_of_an_international_domain_can_log_in(client):
    assert administration.ensure_admin("admin@bücher.example.com", "correct horse")
    for typed in ("admin@bücher.example.com", "admin@xn--bcher-kva.example.com"):
        answer = client.post("/api/v1/auth/login", json={"email": typed, "password": "correct horse"})
        assert answer.status_code == 200


def test_a_view_that_is_run_again_outside_of_a_transaction_is_counted_once(other_app):
    client = other_app(ratelimit_enabled=True, ratelimit_register="4/hour").test_client()
    for number in range(4):
        account = {"email": f"ada{number}@example.com", "password": "correct horse", "name": "Ada"}
        made = client.post("/api/v1/auth/register", json=account, headers={"Idempotency-Key": f"key-{number}"})
        assert made.status_code == 201, made.text
