"""Deliveries of a test, and what they wait for."""

from taskmanager.core.clock import now
from taskmanager.features.notifications.models import Delivery


def email():
    return Delivery.objects(channel="email").get()


def due(delivery, **changes):
    Delivery.objects(id=delivery.id).update(set__due_at=now(), set__claimed_until=now(), **changes)
