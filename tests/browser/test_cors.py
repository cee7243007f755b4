"""A page of another origin uses the API in a real browser: what `TASKMANAGER_CORS_ORIGINS` is for."""

from taskmanager.core.events import positions
from taskmanager.testing.factories import UserFactory
from taskmanager.testing.factories.things import PASSWORD
from tests.scene import Scene, patch

# Logs in, creates a project and a task, changes the task twice from the same revision, reads it again.
_STORY = """async ([api, email, password]) => {
    const seen = [], headers = {"Content-Type": "application/json"};
    const send = async (method, path, body, more = {}) => {
        const options = {method, headers: {...headers, ...more}, body: body && JSON.stringify(body)};
        const answer = await fetch(api + path, options);
        const text = await answer.text();
        seen.push([method, answer.status]);
        return {status: answer.status, headers: answer.headers, json: text ? JSON.parse(text) : null};
    };
    const tokens = await send("POST", "/auth/login", {email, password});
    headers.Authorization = "Bearer " + tokens.json.access_token;
    const project = await send("POST", "/projects", {key: "APP", name: "App"}, {"Idempotency-Key": "a"});
    const tasks = `/projects/${project.json.id}/tasks`;
    const task = await send("POST", tasks, {title: "a"}, {"X-Request-ID": "from-a-page"});
    const tag = task.headers.get("ETag"), path = `/tasks/${task.json.id}`;
    const changed = await send("PATCH", path, {title: "b"}, {"If-Match": tag});
    await send("PATCH", path, {title: "c"}, {"If-Match": tag});
    await send("GET", path, null, {"If-None-Match": changed.headers.get("ETag")});
    await send("GET", "/tasks/no-id");
    delete headers.Authorization;
    const refused = await send("GET", path);
    return {
        seen, title: changed.json.title, location: task.headers.get("Location"),
        id: task.headers.get("X-Request-ID"), code: refused.json.code, cookies: document.cookie,
        hidden: task.headers.get("Server"),
    };
}"""


# Opens the live stream by a ticket, and keeps what it says on the page: the browser sends no header of ours there.
LISTEN = """async ([api, token]) => {
    const send = () => fetch(api + "/stream/tickets", {method: "POST", headers: {Authorization: "Bearer " + token}});
    const {ticket, url} = await (await send()).json();
    const stream = new EventSource(`${url}?ticket=${encodeURIComponent(ticket)}`);
    window.heard = [];
    stream.addEventListener("changes", event => heard.push([event.lastEventId, JSON.parse(event.data)]));
    await new Promise((opened, failed) => { stream.onopen = opened; stream.onerror = () => failed("no stream"); });
    return new URL(url).origin;
}"""


def test_a_page_of_a_named_origin_logs_in_creates_changes_and_revalidates(browser, shared, elsewhere):
    user = UserFactory()
    page = browser.new_page()
    page.goto(f"http://localhost:{elsewhere}/")
    found = page.evaluate(_STORY, [f"{shared.url}/api/v1", user.email, PASSWORD])
    page.close()
    assert found["seen"] == [
        ["POST", 200],
        ["POST", 201],
        ["POST", 201],
        ["PATCH", 200],
        ["PATCH", 412],
        ["GET", 304],
        ["GET", 404],
        ["GET", 401],
    ]
    assert found["title"] == "b" and found["location"].startswith("/api/v1/tasks/")
    assert found["id"] == "from-a-page" and found["code"] == "auth.required"
    assert found["cookies"] == "" and found["hidden"] is None


def test_a_page_of_another_origin_reads_nothing(browser, shared, elsewhere):
    page = browser.new_page()
    page.goto(f"http://127.0.0.1:{elsewhere}/")
    refused = page.evaluate(
        "url => fetch(url).then(() => 'read', error => error.name)", f"{shared.url}/.well-known/jwks.json"
    )
    page.close()
    assert refused == "TypeError"


def test_a_page_of_a_named_origin_hears_of_changes_as_they_happen(browser, shared, elsewhere, app):
    scene = Scene(app)
    page = browser.new_page()
    page.set_default_timeout(60_000)
    page.goto(f"http://localhost:{elsewhere}/")
    token = scene.owner.environ_base["HTTP_AUTHORIZATION"].removeprefix("Bearer ")
    origin = page.evaluate(LISTEN, [f"{shared.url}/api/v1", token])
    assert origin not in (shared.url, f"http://localhost:{elsewhere}"), "an origin of its own"
    patch(scene.owner, scene.task_path, {"title": "Changed meanwhile"})
    positions.place_all()
    page.wait_for_function("() => heard.some(([, data]) => data.objects?.tasks?.length)")
    titles = page.evaluate("() => heard.flatMap(([, data]) => data.objects.tasks ?? []).map(task => task.title)")
    assert titles[-1] == "Changed meanwhile" and page.evaluate("() => heard.at(-1)[0]").isdigit()
    page.close()
