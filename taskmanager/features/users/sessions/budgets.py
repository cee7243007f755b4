"""The rate limits of logins, registrations and requests for mails, shared by the API and the pages.

A caller who uses both has one budget: each limit is counted under its own name, not under that of a route.
"""

from typing import Any

from taskmanager.core.configuration import settings
from taskmanager.extensions import limiter
from taskmanager.web import limits


def _limit(setting: str, key: Any) -> Any:
    name = f"{setting}:{key.__name__}"
    return limiter.shared_limit(lambda: getattr(settings.current(), f"ratelimit_{setting}"), scope=name, key_func=key)


registration = _limit("register", limits.address)
login_of_address = _limit("login_address", limits.address)
login_of_account = _limit("login_account", limits.account_here)
mail_of_address = _limit("mail_address", limits.address)
mail_of_account = _limit("mail_account", limits.account)
one_time_token = _limit("secret", limits.caller)
second_step = _limit("secret", limits.address)
