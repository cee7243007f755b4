"""What this plugin contributes. The entry point names FEATURE."""

from taskmanager.core.events.log import Listener
from taskmanager.core.events.schedule import PeriodicJob
from taskmanager.core.filters.kinds import IntegerKind
from taskmanager.core.filters.nodes import FilterField
from taskmanager.feature import Feature, declared
from taskmanager.features.accounts.orphans import Dependent
from taskmanager.features.notifications.content.registry import NoticeWriter
from taskmanager.features.purging.steps import Step
from taskmanager.features.tasks.attached import Attached
from taskmanager.features.tasks.expansions import Expansion
from taskmanager.features.tasks.models import Task
from taskmanager.features.users.holdings import Holding
from taskmanager.features.webhooks.kinds import WebhookKind
from taskmanager_sample import channel, commands, listeners, login, notices, routes, service
from taskmanager_sample.models import Greeting
from taskmanager_sample.permissions import SampleAction
from taskmanager_sample.settings import SampleSettings
from taskmanager_sample.storage import Memory

FEATURE = Feature(
    "sample",
    requires="1.1",
    blueprints=(routes.blp,),
    errors=service.CODES,
    commands=(commands.count,),
    login_methods=(login.BADGE,),
    listeners=declared(Listener, listeners),
    periodic_jobs=declared(PeriodicJob, listeners),
    channels=(channel.board,),
    notices=declared(NoticeWriter, notices),
    notification_kinds=notices.KINDS,
    webhook_kinds={"sample.greeted": WebhookKind("sample:read", of_task=True, data=("greeting",))},
    scopes=("sample:read", "sample:write"),
    permissions=(SampleAction,),
    filter_fields={"effort": FilterField("estimate_minutes", IntegerKind())},
    expansions={"greetings": Expansion("_id", False, service.numbers, "sample:read")},
    migrations=("taskmanager_sample.migrations",),
    storages={"sample": Memory},
    attached=(Attached((Greeting,)),),
    account_holdings=(Holding(Greeting, "author_id", "written in the name of the account", service.recover),),
    owned_models=(Dependent(Greeting, "task_id", Task),),
    purge_steps=(Step((Greeting,), service.purge_project),),
    settings=SampleSettings,
)
