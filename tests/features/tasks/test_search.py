"""Search in any script: parts of words where words have no spaces between them, emoji, Unicode forms."""

import pytest

from migrations.scripts import m2026_11_27_search_tokens as migration
from taskmanager.features.tasks.models import Task
from tests.factories import TaskFactory
from tests.scene import patch

SEARCH = "/api/v1/search"


def found(client, q, **query):
    answer = client.get(SEARCH, query_string={"q": q, **query})
    assert answer.status_code == 200, answer.text
    return {hit["task"]["title"] for hit in answer.json["items"]}


@pytest.mark.parametrize(
    ("title", "parts", "others"),
    [
        ("明天去银行支付房租", ["房租", "支付", "租", "去银行", "明天 房租", "明"], ["行房", "天租"]),
        ("東京都の天気を調べる", ["京都", "天気", "調べ", "る"], ["京天"]),
        ("カタカナのテスト", ["テスト", "ｶﾀｶﾅ"], ["ストテ"]),
        ("จ่ายค่าเช่าบ้าน", ["ค่าเช่า", "บ้าน", "เช่า"], ["บ้านค่า"]),
        ("បង់ថ្លៃផ្ទះ", ["ផ្ទះ", "ថ្លៃ"], ["ផ្ទះថ្លៃ"]),
        ("초등학교 소풍", ["학교", "소풍"], ["교학"]),
        ("iPhone手机壳", ["手机", "iphone", "机壳"], ["壳手"]),
        ("Launch 🚀 the site", ["🚀", "launch 🚀"], ["🛸"]),
        ("Review 👩🏽\u200d💻 code", ["👩🏽\u200d💻", "👩"], ["👨"]),
        ("Thanks 👍🏽", ["👍", "👍🏽"], ["👍🏿"]),
        ("Trip to 🇫🇷🇩🇪", ["🇫🇷", "🇩🇪"], ["🇷🇩"]),
        ("Love ❤️", ["❤️", "❤"], ["💙"]),
        ("Coffee ☕", ["☕"], ["🍵"]),
        ("Meet at the cafe\u0301", ["café", "CAFE", "cafe\u0301"], ["cofe"]),
        ("\uff46\uff55\uff4c\uff4c moon", ["full", "\uff26\uff35\uff2c\uff2c"], ["half"]),
        ("İstanbul'a git", ["istanbul", "İSTANBUL", "ISTANBUL"], ["ankara"]),
        ("Isparta", ["\u0131sparta", "ISPARTA"], []),
        ("Straße kehren", ["strasse", "STRASSE", "straße"], []),
        ("שָׁלוֹם", ["שלום"], ["שלומות"]),
        ("مُحَمَّد أحمد", ["محمد", "احمد"], ["سعيد"]),
        ("Ёлка", ["елка", "ЁЛКА"], []),
        ("हिन्दी सीखो", ["हिन्दी", "सीखो"], []),
        ("Fix the e-mail", ["e-mail", "email", "mail"], ["female"]),
        ("Don't panic", ["don't", "dont", "don\u2019t"], []),
        ("rename user_name", ["user_name", "name", "username"], ["usage"]),
        ("See https://example.com/rent?x=1", ["example.com", "https://example.com/rent", "rent"], []),
        ("Ask ada@example.com", ["ada@example.com", "ada"], []),
    ],
)
def test_parts_are_found_in_titles(scene, title, parts, others):
    TaskFactory(project=scene.project, title=title)
    for part in parts:
        assert title in found(scene.owner, part), part
    for part in others:
        assert title not in found(scene.owner, part), part


@pytest.mark.parametrize(
    ("description", "part"), [("请在周五之前支付房租。", "房租"), ("ship it 🚀!", "🚀"), ("ต้องจ่ายค่าเช่า", "ค่าเช่า")]
)
def test_parts_are_found_in_descriptions(scene, description, part):
    patch(scene.owner, scene.task_path, {"description": description})
    (hit,) = scene.owner.get(SEARCH, query_string={"q": part}).json["items"]
    assert (hit["matched"], hit["task"]["title"]) == ("text", "Write the notes")
    assert f"<mark>{part}</mark>" in hit["highlights"]["description"]
    patch(scene.owner, scene.task_path, {"description": None})
    assert found(scene.owner, part) == set()


def test_highlights_mark_the_part(scene):
    TaskFactory(project=scene.project, title="明天支付房租")
    (hit,) = scene.owner.get(SEARCH, query_string={"q": "支付"}).json["items"]
    assert hit["highlights"]["title"] == "明天<mark>支付</mark>房租"


def test_what_was_stored_before_is_found_after_the_migration(scene):
    task = TaskFactory(project=scene.project, title="明天支付房租", description="见 🚀")
    Task.objects(id=task.id).update(set__words=["明天支付房租"], unset__description_tokens=True)
    assert found(scene.owner, "房租") == set()
    for _ in range(2):
        migration.upgrade(Task._get_collection().database)
    assert found(scene.owner, "房租") == found(scene.owner, "🚀") == {task.title}
