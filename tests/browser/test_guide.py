"""The site at /docs/guide in a real browser, under its policy: `make docs-test` builds it first."""

from urllib.parse import urlsplit

import pytest

from taskmanager.api import guide

pytestmark = pytest.mark.skipif(not guide.ARCHIVE.is_file(), reason="the site is not built: make docs-test")


def test_a_reader_searches_follows_links_and_reads_in_the_dark(watched, server, tmp_path):
    page = watched.page
    page.goto("/docs")
    page.wait_for_selector(".opblock-tag")
    page.get_by_role("link", name="Guide").click()
    page.wait_for_url("**/docs/guide/")
    assert page.get_by_role("heading", level=1).inner_text().startswith("Task Manager")
    page.screenshot(path=tmp_path / "guide-light.png")
    page.get_by_placeholder("Search").click()
    page.get_by_placeholder("Search").press_sequentially("idempotency")
    page.locator(".md-search-result__link").first.wait_for()
    page.screenshot(path=tmp_path / "guide-search.png")
    page.locator(".md-search-result__link", has_text="The HTTP API").first.click()
    page.wait_for_url("**/docs/guide/api/**")
    page.emulate_media(color_scheme="dark")
    page.goto("/docs/guide/architecture/")
    page.wait_for_function("() => document.body.dataset.mdColorScheme == 'slate'")
    page.screenshot(path=tmp_path / "guide-dark.png")
    pictures = page.evaluate("() => [...document.images].map(one => one.complete && one.naturalWidth > 0)")
    assert all(pictures)
    assert (
        page.evaluate("() => [...document.scripts].filter(one => !one.src && one.type != 'application/json').length")
        == 0
    )
    # Requests of a page that is left are cancelled ("failed"); what is refused is on the console.
    assert [problem for problem in watched.problems if not problem.startswith("failed:")] == []
    assert watched.hosts == {urlsplit(server.url).netloc}
