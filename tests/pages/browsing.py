"""A person with a browser that has no scripts: follows links, fills in forms."""

import re
from html import unescape
from typing import Any
from urllib.parse import urlsplit

from flask.testing import FlaskClient

from taskmanager.testing.mailbox import text_of


class Browser:
    """One browser with its cookies; `status`, `text` and `headers` are those of the page that it shows."""

    def __init__(self, client: FlaskClient) -> None:
        self.client = client
        self._answer: Any = None

    def open(self, address: str, **options: Any) -> "Browser":
        parts = urlsplit(address)
        path = f"{parts.path}?{parts.query}" if parts.query else parts.path
        options["headers"] = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"} | options.get("headers", {})
        self._answer = self.client.open(path, follow_redirects=True, **options)
        return self

    def send(self, button: str, headers: dict[str, str] | None = None, **values: str) -> "Browser":
        """Send the form that has this button, with its hidden fields."""
        for form in re.findall(r"<form.*?</form>", self._answer.text, re.DOTALL):
            if re.search(rf"<button[^>]*>{re.escape(button)}</button>", form):
                fields = {name: unescape(value) for name, value in re.findall(_HIDDEN, form)}
                action = unescape(re.findall(r'action="([^"]*)"', form)[0])
                return self.open(action, method="POST", data=fields | values, headers=headers or {})
        raise AssertionError(f"no form with the button {button}: {self.text}")

    def follow(self, words: str) -> "Browser":
        """Follow the link with these words."""
        found = re.search(rf'<a[^>]*href="([^"]*)"[^>]*>{re.escape(words)}</a>', self._answer.text)
        assert found, f"no link {words}: {self.text}"
        return self.open(unescape(found[1]))

    @property
    def status(self) -> int:
        return int(self._answer.status_code)

    @property
    def headers(self) -> Any:
        return self._answer.headers

    @property
    def path(self) -> str:
        return str(self._answer.request.path)

    @property
    def text(self) -> str:
        return unescape(re.sub(r"<[^>]+>", " ", self._answer.text))

    @property
    def source(self) -> str:
        return str(self._answer.text)


_HIDDEN = r'<input type="hidden" name="([^"]*)" value="([^"]*)">'


def link_in(message: Any) -> str:
    """Return the first link in a mail."""
    return re.findall(r"https?://\S+", text_of(message))[0]
