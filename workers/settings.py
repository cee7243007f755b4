"""Settings of RQ's own command, for operators who prefer it: `rq worker -c workers.settings`.

RQ reads the URL and the queues from this module, but the serializer only from its command line. The default is pickle,
which cannot read our jobs and would run any code in a forged job. RQ looks its default up after it has read this
module, so this module replaces the default. RQ reads no job class from this module either, so callbacks of jobs are
disabled in RQ's own class.

That is enough to run jobs. To detect a killed worker within seconds instead of minutes, add
`-w workers.worker.Worker`, which `python -m workers.worker` uses by itself.
"""

import rq.serializers

from taskmanager.core.configuration.connection_urls import store_address
from taskmanager.core.events import log, rq_jobs
from taskmanager.core.events.outbox import CallSerializer
from taskmanager.core.servers.store_clients import sentinel_of_rq
from workers.process import begin

_settings = begin()
rq.serializers.DefaultSerializer = CallSerializer  # type: ignore[misc, assignment]
rq_jobs.restrict_plain_rq()

_queue = store_address(_settings.queue_url)
REDIS_URL = _queue.url if _queue.kind == "server" else None
if _queue.kind == "sentinel":
    SENTINEL = sentinel_of_rq(_queue, seconds=5.0)
QUEUES = log.queues_of(_settings.own_services)
