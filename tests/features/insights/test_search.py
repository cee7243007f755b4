"""Search in any script: parts of words where words have no spaces between them, emoji, Unicode forms."""

import pytest

from migrations.scripts import m202611270017_words_of_descriptions as migration
from taskmanager.features.tasks.models import Task
from taskmanager.testing.factories import ProjectFactory, TaskFactory, task_row
from tests.scene import patch
from tests.web.counting import commands as counted

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
    task = TaskFactory(project=scene.project, title="明天支付房租", description="见 🚀 soon")
    Task.objects(id=task.id).update(set__title_tokens=["明天支付房租"], set__description_tokens=["见", "🚀"])
    tasks = Task._get_collection()
    tasks.create_index([("title", "text")], name="text")
    assert found(scene.owner, "房租") == found(scene.owner, "soon") == set()
    for _ in range(2):
        migration.upgrade(tasks.database)
    assert found(scene.owner, "房租") == found(scene.owner, "🚀") == found(scene.owner, "soon") == {task.title}
    assert "text" not in tasks.index_information()


@pytest.fixture
def letters(scene):
    for title, description in [
        ("one", "Half of the Café's rent, twice"),
        ("two", "half of a rent of the cafe"),
        ("three", "The café: closed. Call o'brien@example.com about user_name"),
        ("rent for the café", None),
        ("支付房租", "half-day"),
    ]:
        TaskFactory(project=scene.project, title=title, description=description)
    return scene.owner


@pytest.mark.parametrize(
    ("q", "titles"),
    [
        ("cafe", {"one", "two", "three", "rent for the café"}),
        ("CAFÉ closed", {"three", "one", "two", "rent for the café"}),
        ('"half of the cafe"', {"one"}),
        ('"HALF OF THE CAFÉ"', {"one"}),
        ('"the cafe"', {"one", "two", "three", "rent for the café"}),
        ('"alf of the caf"', set()),
        ('"房租"', {"支付房租"}),
        ("cafe -rent", {"three"}),
        ("cafe -rent -closed", set()),
        ('cafe -"half of the"', {"two", "three", "rent for the café"}),
        ("half -房租", {"one", "two"}),
        ("half-day", {"支付房租"}),
        ("caf", {"rent for the café"}),  # of descriptions whole words
        ("o'brien user_name", {"three"}),
        ("username", {"three"}),
        ("-rent", set()),
        ('-"half of"', set()),
    ],
)
def test_words_phrases_and_what_is_left_out(letters, q, titles):
    assert found(letters, q) == titles


def test_those_with_all_words_come_first_and_then_those_with_words_in_the_title(letters):
    hits = [hit["task"]["title"] for hit in letters.get(SEARCH, query_string={"q": "rent half"}).json["items"]]
    assert set(hits[:2]) == {"one", "two"}
    hits = [hit["task"]["title"] for hit in letters.get(SEARCH, query_string={"q": "closed rent"}).json["items"]]
    assert hits[0] == "rent for the café"


def test_all_words_of_a_long_description_are_found(scene):
    words = [f"word{number}" for number in range(2_500)]
    patch(scene.owner, scene.task_path, {"description": " ".join(words * 2)[:49_000]})
    assert found(scene.owner, "word0") == found(scene.owner, "word2499") == {"Write the notes"}


def keys_examined(scene, commands, q):
    """How many keys and documents the search for this reads, as MongoDB explains its questions."""
    with commands.counting() as seen:
        scene.owner.get(SEARCH, query_string={"q": q})
    asked = [
        one
        for one in seen
        if one.command_name in ("find", "aggregate") and one.command.get(one.command_name) == "tasks"
    ]
    assert asked
    return sum(_examined(one) for one in asked)


def _examined(event):
    names = ("find", "filter", "sort", "limit", "projection", "aggregate", "pipeline", "cursor")
    question = {name: event.command[name] for name in names if name in event.command}
    told = Task._get_collection().database.command("explain", question, verbosity="executionStats")
    told = told["stages"][0]["$cursor"] if "stages" in told else told
    assert "COLLSCAN" not in str(told["queryPlanner"]["winningPlan"])
    return told["executionStats"]["totalKeysExamined"] + told["executionStats"]["totalDocsExamined"]


@pytest.mark.parametrize("q", ["rent", "rent garden", '"pay the rent"', "rent -garden", "房租", "rent 房租"])
def test_what_others_have_costs_a_search_nothing(scene, q):
    description = "please pay the rent of the garden 房租 today"
    for _ in range(3):
        TaskFactory(project=scene.project, title="Own", description=description)
    before = keys_examined(scene, counted, q)
    elsewhere = ProjectFactory()
    rows = [task_row(elsewhere.id, title="rent garden 房租", description=description) for _ in range(500)]
    Task.objects.insert(rows, load_bulk=False)
    assert keys_examined(scene, counted, q) <= before + 10
    assert before < 100
