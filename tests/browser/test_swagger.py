"""The Swagger page at /docs, used as a newcomer uses it: register, log in, authorize, make a project."""

import json
from typing import Any
from urllib.parse import urlsplit

import pytest

# Opens every second tag and its first operation, reads it, closes both; answers [id, text] of each.
_OPEN_EACH = """async first => {
    const read = [];
    const settled = () => new Promise(resolve => requestAnimationFrame(() => setTimeout(resolve)));
    const sections = [...document.querySelectorAll(".opblock-tag-section")];
    for (const section of sections.filter((_, place) => place % 2 == first)) {
        section.querySelector(".opblock-tag").click();
        for (let tries = 0; tries < 200 && !section.querySelector(".opblock"); tries++) await settled();
        const block = section.querySelector(".opblock");
        block.querySelector(".opblock-summary-control").click();
        for (let tries = 0; tries < 200 && !block.textContent.includes("Responses"); tries++) await settled();
        read.push([block.id, block.textContent]);
        block.querySelector(".opblock-summary-control").click();
        await settled();
        section.querySelector(".opblock-tag").click();
        await settled();
    }
    return read;
}"""
ACCOUNT = {"email": "ada@example.com", "password": "correct horse battery"}


@pytest.fixture
def docs(watched: Any) -> Any:
    """The page, when it has shown its tags."""
    watched.page.goto("/docs")
    watched.page.wait_for_selector(".opblock-tag")
    return watched


def try_it_out(page: Any, tag: str, operation: str, body: dict[str, Any] | None = None) -> tuple[int, dict[str, Any]]:
    """Open an operation and execute it, with the body that the page proposes unless one is given."""
    block = page.locator(f"#operations-{tag}-{operation}")
    if not block.count():
        page.locator(f"#operations-tag-{tag}").click()
    block.locator(".opblock-summary-control").click()
    if body is not None:
        block.locator("textarea.body-param__text").fill(json.dumps(body))
    with page.expect_response(lambda response: response.request.method == "POST") as answered:
        block.locator("button.execute").click()
    block.locator(".live-responses-table .response").wait_for()
    shown = block.locator(".live-responses-table .response .response-col_status").inner_text()
    assert shown.startswith(str(answered.value.status))
    return answered.value.status, answered.value.json()


def log_in(page: Any, account: dict[str, str]) -> None:
    """Log in by the form of the page."""
    page.get_by_label("Email").fill(account["email"])
    page.get_by_label("Password").fill(account["password"])
    page.get_by_role("button", name="Log in", exact=True).click()
    page.get_by_text("Logged in as").wait_for()


def test_a_newcomer_gets_from_the_page_to_a_changed_task(docs, server, tmp_path):
    """Register, log in by the form, reload, create, and change with the ETag that the page has seen."""
    page = docs.page
    assert try_it_out(page, "Start_here", "register_user", ACCOUNT | {"name": "Ada"})[0] == 201
    log_in(page, ACCOUNT)
    page.reload()
    page.wait_for_selector(".opblock-tag")
    page.get_by_text("Logged in as").wait_for()
    status, project = try_it_out(page, "Projects", "create_project")
    assert (status, project["key"]) == (201, "APP")
    block = page.locator("#operations-Projects-update_project")
    block.locator(".opblock-summary-control").click()
    block.get_by_placeholder("project_id").fill(project["id"])
    assert block.get_by_placeholder("If-Match").input_value() == '"1"'
    for revision in (2, 3):
        block.locator("textarea.body-param__text").fill(json.dumps({"name": f"Revision {revision}"}))
        with page.expect_response(lambda response: response.request.method == "PATCH") as answered:
            block.locator("button.execute").click()
        assert (answered.value.status, answered.value.json()["revision"]) == (200, revision)
    assert block.get_by_placeholder("If-Match").input_value() == '"3"'
    page.screenshot(path=tmp_path / "swagger.png", full_page=True)
    page.get_by_role("button", name="Log out", exact=True).click()
    page.get_by_label("Email").wait_for()
    assert page.evaluate("sessionStorage.getItem('taskmanager-login')") is None
    # Swagger UI says so of each id of an operation with an underscore that stands in the address.
    assert [problem for problem in docs.problems if "deep link whitespace" not in problem] == []
    assert docs.hosts == {urlsplit(server.url).netloc}


def test_the_policy_allows_nothing_inline_and_no_one_else(client):
    policy = client.get("/docs").headers["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert "http" not in policy


def test_operations_open_without_a_complaint(docs):
    """One at a time, and by the page's own script: each takes the page more than a second."""
    assert docs.page.locator(".opblock-tag-section").count() == 11
    assert docs.page.locator(".operation-filter-input").count() == 1
    opened = []
    for scheme, first in {"light": 0, "dark": 1}.items():
        docs.page.emulate_media(color_scheme=scheme)
        opened += docs.page.evaluate(_OPEN_EACH, first)
    assert len(opened) == 11
    assert [name for name, text in opened if "Could not resolve" in text or "Responses" not in text] == []
    assert docs.problems == []

    docs.page.evaluate(
        "() => { const s = document.createElement('script'); s.text = 'window.evil = 1'; document.body.append(s) }"
    )
    assert docs.page.evaluate("() => window.evil") is None  # the policy allows nothing inline
    assert any("script-src" in problem for problem in docs.problems)


def test_its_files_are_kept_for_ever_named_by_their_content_and_compressed_for_gzip_alone(client):
    page = client.get("/docs").text
    addresses = [part.split('"')[0] for part in page.split('src="')[1:] + page.split('href="')[1:]]
    assets = [address for address in addresses if "/assets/" in address]
    assert len(assets) >= 3
    for address in assets:
        answer = client.get(address, buffered=True)
        assert answer.status_code == 200
        assert "immutable" in answer.headers["Cache-Control"]
        digest, name = address.split("/")[-2:]
        assert digest in answer.headers["ETag"]
        assert client.get(address.replace(digest, "0" * len(digest))).status_code == 404
        if name.endswith((".js", ".css")) and len(answer.data) > 500:
            short = client.get(address, headers={"Accept-Encoding": "gzip"}, buffered=True)
            assert short.headers["Content-Encoding"] == "gzip"
            assert len(short.data) < len(answer.data) / 2


def test_the_lean_document_has_the_same_operations(client):
    whole, lean = client.get("/api/v1/openapi.json").json, client.get("/docs/openapi-3.0.json")
    assert lean.json["openapi"] == "3.0.3"
    from openapi_spec_validator import OpenAPIV30SpecValidator  # takes a second

    OpenAPIV30SpecValidator(lean.json).validate()
    ids = [
        [
            (path, method, operation["operationId"])
            for path, item in one["paths"].items()
            for method, operation in item.items()
            if method != "parameters"
        ]
        for one in (whole, lean.json)
    ]
    assert ids[0] == ids[1]
    assert len(lean.data) < len(client.get("/api/v1/openapi.json").data) / 2
