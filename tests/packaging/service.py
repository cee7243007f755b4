"""What is asked of a service that was installed from a package, wherever it runs."""

import re

import requests

SECONDS = 300  # for a slow machine


def assert_documented(url: str) -> None:
    """The page at `/docs` is there with all that it loads."""
    page = requests.get(f"{url}/docs", timeout=60)
    assert page.status_code == 200, page.text
    assets = re.findall(r'(?:href|src)="([^"#]+)"', page.text)
    assert len(assets) >= 3, page.text
    for asset in assets:
        answer = requests.get(requests.compat.urljoin(f"{url}/docs", asset), timeout=60)
        assert (answer.status_code, bool(answer.content)) == (200, True), asset
    guide = requests.get(f"{url}/docs/guide/plan-a-week/", timeout=60)
    assert "Plan a week" in guide.text, "make package-test and the Dockerfile build the site into the package"
    assert requests.get(f"{url}/api/v1/openapi.json", timeout=60).json()["openapi"].startswith("3.")


def assert_demonstrated(output: str) -> None:
    """The demonstration ended with the mail that a worker sent."""
    assert "The mail that a worker sent to Ben" in output, output
    assert re.search(r"Ann assigned \S+ to you", output), output


def ready(url: str) -> bool:
    """Whether it says that it is ready."""
    try:
        return requests.get(f"{url}/health/ready", timeout=20).ok
    except requests.RequestException:
        return False
