"""Fixtures that several folders share; they are written in modules of their own."""

from tests.gateway.through import own_process, pytest_collection_modifyitems, through_the_gateway
from tests.scene import scene

__all__ = ["own_process", "pytest_collection_modifyitems", "scene", "through_the_gateway"]
