"""For operators who like the plain tool: `rq worker -c workers.settings`.

RQ reads the address and the queues from this module, but the serializer only from its command line, and by
default that is pickle: which cannot read our jobs, and would run whatever code a planted job holds. RQ looks its
default up after it has read this module, so the default is replaced here. It takes no class of jobs from here either,
so that what jobs name for their end is turned off in RQ's own class.

That is enough to work. To have a killed worker noticed in seconds instead of minutes as well, add
`-w workers.worker.Worker`, as `python -m workers.worker` does by itself.
"""

import rq.serializers

from taskmanager.core.events import log, rq_jobs
from taskmanager.core.events.outbox import CallSerializer
from workers.process import begin

_settings = begin()
rq.serializers.DefaultSerializer = CallSerializer  # type: ignore[misc, assignment]
rq_jobs.restrict_plain_rq()

REDIS_URL = _settings.queue_url
QUEUES = log.QUEUES
