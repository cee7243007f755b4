"""Webhooks, as their own tests have them."""

from tests.features.webhooks.conftest import _receiver, hook, receiver

__all__ = ["_receiver", "hook", "receiver"]
