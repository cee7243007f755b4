"""What operators are told of a database that is not set as it should be."""

import pytest

from taskmanager.core.servers import server_report
from taskmanager.core.storage import database

pytestmark = pytest.mark.usefixtures("app")

PARAMETER = "transactionLifetimeLimitSeconds"


@pytest.fixture
def default_lifetime():
    """MongoDB's own default: what a killed process had written stays locked for a minute."""
    admin = database.client().admin
    ours = admin.command({"getParameter": 1, PARAMETER: 1})[PARAMETER]
    admin.command({"setParameter": 1, PARAMETER: 60})
    yield
    admin.command({"setParameter": 1, PARAMETER: ours})


def test_a_long_lifetime_is_told_with_the_command_and_shortened_where_we_may(default_lifetime, caller):
    body = caller(role="admin").get("/health").json
    assert body["transaction_lifetime_s"] == 60
    assert "setParameter: 1, transactionLifetimeLimitSeconds: 5" in " ".join(body["database_warnings"])
    assert "instead of 60" in " ".join(server_report.shorten_lifetimes())
    assert (server_report.report()["transaction_lifetime_s"], server_report.shorten_lifetimes()) == (5, [])


def test_health_says_how_far_the_own_clock_is_ahead(caller):
    body = caller(role="admin").get("/health").json
    assert abs(body["clock_ahead_s"]) < 60
    assert body["database_warnings"] == []
