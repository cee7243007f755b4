"""A client of sync, as small as it can be: it applies pages to a copy."""

from typing import Any

BELONGS = ("project_id", "task_id")


def key_of(kind: str, item: dict[str, Any]) -> tuple[str, str, str]:
    if kind == "members":
        return kind, item["user_id"], item["project_id"]
    if kind in ("statuses", "preferences"):
        return kind, item["project_id"] or "", ""
    return kind, item["id"], ""


class Store:
    """The copy of one client."""

    def __init__(self, client: Any, **query: Any) -> None:
        self.client, self.query = client, query
        self.items: dict[tuple[str, str, str], dict[str, Any]] = {}
        self.token: str | None = None
        self.pages: list[dict[str, Any]] = []

    def sync(self, **more: Any) -> "Store":
        """Ask until there is no more."""
        while self.page(**more)["has_more"]:
            assert len(self.pages) < 5000
        return self

    def page(self, **more: Any) -> dict[str, Any]:
        """Ask for one page and apply it."""
        query = self.query | more | ({"token": self.token} if self.token else {})
        response = self.client.get("/api/v1/sync", query_string=query)
        assert response.status_code == 200, response.json
        page = response.json
        for tombstone in page["tombstones"]:
            self._remove(tombstone)
        for kind, items in page["objects"].items():
            for item in items:
                self.items[key_of(kind, item)] = item
        self.token = page["next_token"]
        self.pages.append(page)
        return page

    def _remove(self, tombstone: dict[str, Any]) -> None:
        kind, gone = tombstone["type"], tombstone["id"]
        self.items.pop((kind, gone, tombstone.get("project_id", "") if kind == "members" else ""), None)
        if kind == "tasks":
            self._remove_where("task_id", gone, ("comments", "reminders"))
        if kind == "projects":
            for key in [key for key, item in self.items.items() if item.get("project_id") == gone]:
                if key in self.items:
                    del self.items[key]
                    if key[0] == "tasks":
                        self._remove_where("task_id", key[1], ("comments", "reminders"))

    def _remove_where(self, field: str, value: str, kinds: tuple[str, ...]) -> None:
        for key in [key for key, item in self.items.items() if key[0] in kinds and item.get(field) == value]:
            del self.items[key]

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [item for key, item in self.items.items() if key[0] == kind]
