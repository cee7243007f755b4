"""Comments: Markdown that is safe to show, mentions, versions, reactions."""

from html.parser import HTMLParser

import pytest
from markdown_it import MarkdownIt

from migrations.scripts import m202611270003_html_of_comments as html_of_comments
from taskmanager.core.storage import unit_of_work
from taskmanager.core.storage.database import database
from taskmanager.features.comments import service as comments
from taskmanager.features.comments.models import Comment
from taskmanager.testing.factories import UserFactory
from taskmanager.testing.mailbox import text_of
from tests.problems import assert_problem
from tests.scene import patch

ANY = {"If-Match": "*"}


@pytest.fixture
def path(scene):
    return f"{scene.task_path}/comments"


def write(client, path, text="Looks *good*"):
    answer = client.post(path, json={"text": text})
    assert answer.status_code == 201, answer.text
    return answer.headers["Location"]


def test_a_comment_is_written_read_changed_and_deleted(scene, path):
    commenter, viewer = scene.member("commenter"), scene.member("viewer")
    one = write(commenter, path)
    read = viewer.get(one)
    assert (read.json["text"], read.json["author_id"]) == ("Looks *good*", str(commenter.user.id))
    assert viewer.get(one, headers={"If-None-Match": read.headers["ETag"]}).status_code == 304
    assert viewer.get(path).json["items"] == [read.json]
    changed = patch(commenter, one, {"text": "Looks bad"}, **{"If-Match": read.headers["ETag"]}).json
    assert changed["edited_at"]
    assert_problem(patch(commenter, one, {"text": "x"}, **{"If-Match": read.headers["ETag"]}), 412)
    assert [version["text"] for version in viewer.get(f"{one}/history").json["items"]] == ["Looks *good*"]
    assert commenter.delete(one, headers=ANY).status_code == 204
    assert_problem(viewer.get(one), 404)


def test_only_the_author_changes_and_a_manager_deletes(scene, path):
    one = write(scene.member("commenter"), path)
    manager, member = scene.member("manager"), scene.member()
    for client in (manager, member, scene.owner):
        assert_problem(patch(client, one, {"text": "x"}), 403, code="comment.not_yours")
    assert_problem(member.delete(one, headers=ANY), 403)
    assert manager.delete(one, headers=ANY).status_code == 204


@pytest.mark.parametrize("who", ["viewer", "stranger", "anonymous"])
def test_who_may_not_write_cannot(scene, path, who):
    assert_problem(scene.who(who).post(path, json={"text": "x"}), 401, 403, 404)
    assert Comment.objects.count() == 0


def test_a_comment_of_another_task_is_not_there(scene, path):
    one = write(scene.owner, path)
    other = scene.owner.post(scene.tasks_path, json={"title": "x"}).json["id"]
    elsewhere = one.replace(str(scene.task.id), other)
    assert_problem(scene.owner.get(elsewhere), 404)
    assert_problem(scene.owner.delete(elsewhere, headers=ANY), 404)


@pytest.mark.parametrize("text", ["", "x" * 20_001, "\x00", 5, None])
def test_what_is_no_comment_is_refused(scene, path, text):
    assert_problem(scene.owner.post(path, json={"text": text}), 422)


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("*a* **b** `c`", "<p><em>a</em> <strong>b</strong> <code>c</code></p>\n"),
        ("[x](https://example.com)", '<p><a href="https://example.com" rel="nofollow noopener noreferrer">x</a></p>\n'),
        ("1. a\n2. b", "<ol>\n<li>a</li>\n<li>b</li>\n</ol>\n"),
        ("~~a~~", "<p><s>a</s></p>\n"),
        ("a < b & c", "<p>a &lt; b &amp; c</p>\n"),
    ],
)
def test_markdown_becomes_html(scene, path, text, html):
    one = write(scene.owner, path, text)
    assert scene.owner.get(f"{one}?html=true").json["html"] == html
    assert scene.owner.get(f"{path}?html=true&fields=id").json["items"][0]["html"] == html
    assert "html" not in scene.owner.get(one).json


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "[x](javascript:alert(1))",
        "[x](JaVaScRiPt:alert(1))",
        "[x](java&#115;cript:alert(1))",
        "[x](data:text/html;base64,PHNjcmlwdD4=)",
        "[x](vbscript:x)",
        "![x](https://example.com/spy.png)",
        '[x](https://example.com "onmouseover=alert(1)")',
        '[x](https://example.com" onclick="alert(1))',
        "<javascript:alert(1)>",
        "<svg/onload=alert(1)>",
        "<a href='javascript:x'>x</a>",
        "<iframe src=//example.com>",
        "`<script>`",
        "```\n</code></pre><script>alert(1)</script>\n```",
        "<<script>script>alert(1)<</script>/script>",
        "[a]: javascript:alert(1)\n\n[a]",
    ],
)
def test_html_of_a_comment_does_nothing(scene, path, text):
    shown = Tags()
    shown.feed(scene.owner.get(f"{write(scene.owner, path, text)}?html=true").json["html"])
    assert shown.names <= {"p", "a", "pre", "code"}
    assert {name for name, _ in shown.attributes} <= {"href", "title", "rel"}
    assert all(value.startswith("https://") for name, value in shown.attributes if name == "href")


class Tags(HTMLParser):
    """The tags and attributes that a browser would see."""

    def __init__(self):
        super().__init__()
        self.names, self.attributes = set(), set()

    def handle_starttag(self, tag, attrs):
        self.names.add(tag)
        self.attributes |= set(attrs)


def mailed(mail, deliver):
    deliver()
    return sorted(message["To"].addresses[0].addr_spec for message in mail.messages if "mentioned" in text_of(message))


def test_members_who_are_mentioned_are_told_once(scene, path, mail, deliver):
    ada, bob = scene.member("viewer"), scene.member()
    stranger = UserFactory()
    one = write(scene.owner, path, f"@{ada.user.email} and @{bob.user.id}, not @{stranger.email} x@{bob.user.email}")
    assert scene.owner.get(one).json["mentioned_ids"] == [str(ada.user.id), str(bob.user.id)]
    assert mailed(mail, deliver) == sorted([ada.user.email, bob.user.email])
    carol = scene.member()
    patch(scene.owner, one, {"text": f"@{ada.user.email} @{carol.user.email} @{scene.owner.user.email}"})
    assert mailed(mail, deliver) == sorted([ada.user.email, bob.user.email, carol.user.email])


def react(client, one, emoji, method="PUT", **headers):
    return client.open(f"{one}/reactions/{emoji}", method=method, headers=ANY | headers)


def test_people_react(scene, path):
    one, viewer, commenter = write(scene.owner, path), scene.member("viewer"), scene.member("commenter")
    for client in (commenter, commenter, scene.owner):
        assert react(client, one, "👍").status_code == 200
    answer = react(commenter, one, "+1")
    assert answer.json["reactions"] == [
        {"emoji": "👍", "user_ids": [str(commenter.user.id), str(scene.owner.user.id)]},
        {"emoji": "+1", "user_ids": [str(commenter.user.id)]},
    ]
    assert_problem(react(commenter, one, "🎉", **{"If-Match": '"1"'}), 412)
    assert_problem(react(viewer, one, "👍"), 403)
    for emoji in ("👍", "👍", "+1"):
        answer = react(commenter, one, emoji, "DELETE")
    assert answer.json["reactions"] == [{"emoji": "👍", "user_ids": [str(scene.owner.user.id)]}]


@pytest.mark.parametrize("emoji", ["a", "%3Cb%3E", "👍👍👍👍👍👍👍👍👍👍👍👍👍👍👍👍", "+2", "$x", "1"])
def test_a_reaction_is_one_emoji(scene, path, emoji):
    assert_problem(react(scene.owner, write(scene.owner, path), emoji), 404)


@pytest.mark.parametrize("emoji", ["❤️", "👩‍🚀", "🇩🇪", "👍🏽", "⚠️"])
def test_joined_emoji_are_one(scene, path, emoji):
    assert react(scene.owner, write(scene.owner, path), emoji).json["reactions"][0]["emoji"] == emoji


def test_a_comment_has_twenty_reactions(scene, path):
    one = write(scene.owner, path)
    for number in range(20):
        assert react(scene.owner, one, chr(0x1F600 + number)).status_code == 200
    assert_problem(react(scene.owner, one, "🎉"), 409, code="comment.too_many_reactions")


def test_the_activity_of_the_task_tells_of_comments(scene, path):
    one = write(scene.owner, path)
    react(scene.owner, one, "👍")
    patch(scene.owner, one, {"text": "x"})
    scene.owner.delete(one, headers=ANY)
    kinds = [entry["kind"] for entry in scene.owner.get(f"{scene.task_path}/activity").json["items"]]
    assert kinds[1:] == ["comment.created", "comment.reacted", "comment.updated", "comment.deleted"]


def test_a_purged_task_has_no_comments(scene, path):
    write(scene.owner, path)
    scene.owner.delete(scene.task_path, headers=ANY)
    assert_problem(scene.owner.get(path), 404)
    scene.owner.delete(f"/api/v1/trash/{scene.task.id}", headers=ANY)
    assert Comment.objects.count() == 0


@pytest.fixture
def renderings(monkeypatch):
    """For each text that is rendered in a test, whether that was within a transaction."""
    found, parse = [], MarkdownIt.parse

    def counted(self, text, env=None):
        found.append(unit_of_work._after_commit.get() is not None)
        return parse(self, text, env)

    monkeypatch.setattr(MarkdownIt, "parse", counted)
    return found


def test_a_text_is_rendered_when_it_is_written_and_not_when_it_is_read(scene, path, renderings):
    ones = [write(scene.owner, path, f"*{number}*") for number in range(5)]
    changed = patch(scene.owner, ones[0], {"text": "*new*"})
    assert changed.status_code == 200
    assert renderings == [False] * 6
    items = scene.owner.get(f"{path}?html=true").json["items"]
    assert [item["html"] for item in items][:2] == ["<p><em>new</em></p>\n", "<p><em>1</em></p>\n"]
    assert scene.owner.get(f"{ones[0]}?html=true").json["html"] == "<p><em>new</em></p>\n"
    assert len(renderings) == 6


def test_what_an_earlier_release_wrote_is_rendered_within_a_bound(scene, path, renderings, monkeypatch):
    ones = [write(scene.owner, path, f"*{number}*") for number in range(5)]
    database()["comments"].update_many({}, {"$unset": {"html": 1}})
    renderings.clear()
    monkeypatch.setattr(comments, "MAX_RENDERED_CHARACTERS", 6)
    items = scene.owner.get(f"{path}?html=true").json["items"]
    assert [item["html"] for item in items] == ["<p><em>0</em></p>\n", "<p><em>1</em></p>\n"] + [
        f"<pre>*{number}*</pre>" for number in range(2, 5)
    ]
    assert len(renderings) == 2
    for _ in range(2):
        html_of_comments.upgrade(database())
    assert len(renderings) == 7
    assert scene.owner.get(f"{ones[4]}?html=true").json["html"] == "<p><em>4</em></p>\n"
    assert len(renderings) == 7


def test_who_may_no_longer_write_changes_no_earlier_comment(scene):
    member = scene.member()
    made = member.post(f"{scene.task_path}/comments", json={"text": "Mine"})
    path = f"{scene.members_path}/{member.user.id}"
    assert scene.owner.patch(path, json={"role": "viewer"}, headers={"If-Match": "*"}).status_code == 200
    one = f"{scene.task_path}/comments/{made.json['id']}"
    answer = member.patch(one, json={"text": "Changed"}, headers={"If-Match": "*"})
    assert answer.status_code == 403, answer.text
    assert scene.owner.get(one).json["text"] == "Mine"
