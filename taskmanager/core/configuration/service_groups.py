"""The services that the features belong to: each can be deployed as a set of processes of its own.

A feature names its service (`Feature.service`), `TASKMANAGER_SERVICES` those that a process works for.
"""

from collections.abc import Iterable
from typing import Literal, get_args

Service = Literal["user", "task", "notification", "stream"]

SERVICES: tuple[str, ...] = get_args(Service)
ALL = "all"
# The services with workers. The stream service has web processes only: jobs of its features run in the task service.
WORKING_SERVICES = ("user", "task", "notification")
_WORKING_FOR_STREAM = "task"


def parse(text: str) -> frozenset[str]:
    """Return the services of a setting such as `all` or `user,task`. Raises ValueError."""
    words = [word.strip() for word in text.split(",")]
    if words == [ALL]:
        return frozenset(SERVICES)
    if not all(word in SERVICES for word in words):
        raise ValueError(f"must be {ALL}, or some of {', '.join(SERVICES)}, separated by commas")
    return frozenset(words)


def in_order(services: Iterable[str]) -> list[str]:
    """Return services in their fixed order."""
    return [service for service in SERVICES if service in services]


def label(services: Iterable[str]) -> str:
    """Return the name of a set of services, for names of leases and files: `all`, or such as `user-task`."""
    named = in_order(services)
    return ALL if len(named) == len(SERVICES) else "-".join(named)


def working_service(service: str) -> str:
    """Return the service whose workers and scheduler work for the features of `service`."""
    return service if service in WORKING_SERVICES else _WORKING_FOR_STREAM
