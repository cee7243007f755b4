"""`python -m workers.schedule`: runs periodic jobs when they are due. A second one stands by."""

from taskmanager.core.configuration import service_groups
from taskmanager.core.events.schedule import run_due
from workers import stopping
from workers.heartbeat import Heartbeat
from workers.process import LeasedLoop, begin

_IDLE_SECONDS = 1.0


def main() -> None:
    """Run periodic jobs until SIGTERM or SIGINT."""
    stopping.end_in_time()
    heartbeat = Heartbeat("scheduler")
    label = service_groups.label(begin(heartbeat).own_services)
    lease = "schedule" if label == service_groups.ALL else f"schedule-{label}"
    LeasedLoop(lease, run_due, idle_seconds=_IDLE_SECONDS, heartbeat=heartbeat).run()


if __name__ == "__main__":
    main()
