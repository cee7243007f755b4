"""`python -m workers.relay`: dispatches committed events to the workers, and gives them their positions.

A second one stands by.
"""

from taskmanager.core.events.outbox import relay_batch
from workers import stopping
from workers.heartbeat import Heartbeat
from workers.process import LeasedLoop, begin
from workers.sequencer import Sequencer

_IDLE_SECONDS = 0.1


def main() -> None:
    """Dispatch events until SIGTERM or SIGINT."""
    stopping.end_in_time()
    heartbeat = Heartbeat("relay")
    begin(heartbeat)
    sequencer = Sequencer()
    sequencer.start()
    try:
        LeasedLoop("relay", relay_batch, idle_seconds=_IDLE_SECONDS, heartbeat=heartbeat).run()
    finally:
        sequencer.end()


if __name__ == "__main__":
    main()
