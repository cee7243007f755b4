"""`python -m workers.relay`: dispatches committed events to the workers. A second one stands by."""

from taskmanager.core.events.outbox import relay_batch
from workers import stopping
from workers.heartbeat import Heartbeat
from workers.process import LeasedLoop, begin

_IDLE_SECONDS = 0.1


def main() -> None:
    """Dispatch events until SIGTERM or SIGINT."""
    stopping.end_in_time()
    heartbeat = Heartbeat("relay")
    begin(heartbeat)
    LeasedLoop("relay", relay_batch, idle_seconds=_IDLE_SECONDS, heartbeat=heartbeat).run()


if __name__ == "__main__":
    main()
