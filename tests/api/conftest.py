"""Fixtures that several folders share; they are written in modules of their own."""

from tests.web_server import server

__all__ = ["server"]
