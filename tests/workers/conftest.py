"""A project with people."""

from tests.scene import scene

__all__ = ["scene"]
