"""`make page-cost`: CPU seconds of Chromium for the page at /docs: to the list of groups, and to open one operation.

The CPU time of all its processes is counted, so that other work on the machine changes little.
"""

import time
from statistics import median
from typing import Any

import psutil
import pytest

from tests.browser.conftest import browser
from tests.web_server import WebServer

__all__ = ["browser"]

ROUNDS = 5
MAX_LIST_SECONDS, MAX_OPERATION_SECONDS = 2.0, 1.0
_OPERATION = "#operations-Tasks-update_task"


def used() -> float:
    """The CPU seconds of this process's Chromium."""
    found = [one for one in psutil.Process().children(recursive=True) if "chrom" in one.name()]
    return sum(sum(one.cpu_times()[:2]) for one in found)


def settled() -> float:
    """The same, once Chromium has had nothing to do for half a second."""
    before = -1.0
    while (now := used()) - before > 0.02:
        before = now
        time.sleep(0.5)
    return now


@pytest.fixture
def page(browser: Any, server: WebServer) -> Any:
    context = browser.new_context(base_url=server.url, viewport={"width": 1280, "height": 1600})
    context.set_default_timeout(60_000)
    yield context.new_page()
    context.close()


def test_the_page_costs_little(page: Any):
    page.goto("/docs")  # fills the caches of the server and of the browser
    page.wait_for_selector(".opblock-tag")
    lists, operations, height = [], [], 0
    for _ in range(ROUNDS):
        page.goto("about:blank")
        start = settled()
        page.goto("/docs")
        page.wait_for_selector(".opblock-tag")
        listed = settled()
        page.locator("#operations-tag-Tasks").click()
        page.wait_for_selector(_OPERATION)
        opened = settled()
        page.locator(f"{_OPERATION} .opblock-summary-control").click()
        page.locator(f"{_OPERATION} .responses-wrapper").wait_for()
        lists.append(listed - start)
        operations.append(settled() - opened)
        height = page.locator(_OPERATION).bounding_box()["height"]
    print(f"\nlist of groups {median(lists):.2f} s, one operation {median(operations):.2f} s, {height:.0f} pixels high")
    assert median(lists) <= MAX_LIST_SECONDS
    assert median(operations) <= MAX_OPERATION_SECONDS
