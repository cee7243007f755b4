"""A route that goes away says since when, until when, and where to read about it."""

from datetime import UTC, datetime, timedelta, timezone

from flask import Flask, Response

from taskmanager.web.blueprint import Blueprint, Deprecation

SINCE = datetime(2026, 1, 1, tzinfo=UTC)


def headers_of(deprecation):
    app, blp = Flask(__name__), Blueprint("old", __name__)

    @blp.route("/old", public=True, deprecated=deprecation)
    def old():
        """Old"""
        return Response("{}")

    app.register_blueprint(blp)
    return app.test_client().get("/old").headers


def test_deprecation_is_told_by_rfc_9745():
    headers = headers_of(Deprecation(SINCE))
    assert headers["Deprecation"] == f"@{int(SINCE.timestamp())}"
    assert "Sunset" not in headers


def test_sunset_and_link_are_told_when_known():
    sunset = datetime(2027, 1, 1, 1, tzinfo=timezone(timedelta(hours=1)))
    headers = headers_of(Deprecation(SINCE, sunset, "https://example.com/new"))
    assert headers["Sunset"] == "Fri, 01 Jan 2027 00:00:00 GMT"
    assert headers["Link"] == '<https://example.com/new>; rel="deprecation"'
