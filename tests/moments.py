"""Moments that are never in the past: a literal date in a test is, some day."""

from datetime import timedelta

from taskmanager.core.clock import iso, now


def from_now(**how: float) -> str:
    """Give the moment that is so far ahead (`days=30`), as clients send it."""
    return iso(now() + timedelta(**how))
