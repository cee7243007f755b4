"""Files attached to tasks."""

from taskmanager.core.events.log import Listener
from taskmanager.core.events.schedule import PeriodicJob
from taskmanager.feature import Feature, declared
from taskmanager.features.attachments import errors, listeners, routes, service
from taskmanager.features.attachments.models import Attachment
from taskmanager.features.attachments.permissions import AttachmentAction
from taskmanager.features.attachments.storage import OWN_STORAGES
from taskmanager.features.tasks.attached import Attached

FEATURE = Feature(
    "attachments",
    errors=errors.CODES,
    blueprints=(routes.blp,),
    listeners=declared(Listener, listeners),
    periodic_jobs=declared(PeriodicJob, listeners),
    permissions=(AttachmentAction,),
    storages=OWN_STORAGES,
    attached=(Attached((Attachment,), service.bytes_of),),
)
