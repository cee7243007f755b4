"""All pages for operators: this module imports those that have routes, and registers them."""

from flask import Flask

from taskmanager.ops import blueprint, deliveries, figures, overview, people, work

_PAGES = (deliveries, figures, overview, people, work)  # each adds its routes to the blueprint


def init_app(app: Flask) -> None:
    """Register the pages."""
    blueprint.init_app(app)
