"""Fixtures that several folders share; they are written in modules of their own."""

from tests.patience import patience
from tests.scene import scene

__all__ = ["patience", "scene"]
