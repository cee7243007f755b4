"""Purges of projects."""

from taskmanager.core.events.log import Listener
from taskmanager.core.events.schedule import PeriodicJob
from taskmanager.feature import Feature, declared
from taskmanager.features.purging import listeners
from taskmanager.features.purging.steps import STEPS

FEATURE = Feature(
    "purging",
    listeners=declared(Listener, listeners),
    periodic_jobs=declared(PeriodicJob, listeners),
    purge_steps=STEPS,
)
