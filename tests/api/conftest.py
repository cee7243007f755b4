"""Fixtures that several folders share; they are written in modules of their own."""

from tests.patience import patience
from tests.scene import scene
from tests.web_server import server

__all__ = ["patience", "scene", "server"]
