"""Accounts as a whole: holdings, export and deletion."""

from taskmanager.core.events.log import Listener
from taskmanager.core.events.schedule import PeriodicJob
from taskmanager.feature import Feature, declared
from taskmanager.features.accounts import listeners, routes
from taskmanager.features.accounts.holdings import HOLDINGS
from taskmanager.features.accounts.orphans import DEPENDENTS

FEATURE = Feature(
    "accounts",
    service="user",
    blueprints=(routes.blp,),
    listeners=declared(Listener, listeners),
    periodic_jobs=declared(PeriodicJob, listeners),
    account_holdings=HOLDINGS,
    owned_models=DEPENDENTS,
)
