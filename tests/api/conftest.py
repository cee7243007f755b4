"""Fixtures that several folders share; they are written in modules of their own."""

from tests.scene import scene
from tests.web_server import server

__all__ = ["scene", "server"]
