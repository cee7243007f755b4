"""The application factory: the one place where the parts are put together."""

import importlib
from dataclasses import replace

from bson import ObjectId
from flask import Flask

from taskmanager import plugins
from taskmanager.api import docs, health, v1
from taskmanager.core.configuration import settings as core_settings
from taskmanager.core.configuration.settings import Settings
from taskmanager.core.security import access, keyring
from taskmanager.core.security.access import Access
from taskmanager.core.servers import stores
from taskmanager.core.storage import database
from taskmanager.extensions import CacheSerializer, cache, compress
from taskmanager.features.accounts.holdings import HOLDINGS
from taskmanager.features.attachments import service as attachments
from taskmanager.features.attachments.models import Attachment
from taskmanager.features.comments.models import Comment
from taskmanager.features.projects import service as projects
from taskmanager.features.projects.share_links import service as share_links
from taskmanager.features.tasks import attached
from taskmanager.features.tasks.attached import Attached
from taskmanager.features.users import holdings, service as users
from taskmanager.features.users.sso import oidc
from taskmanager.features.users.tokens import service as api_tokens
from taskmanager.web import auth, errors, limits, requests, urls

# Features whose listeners hear events; a feature adds itself here when it gets a `listeners.py`.
LISTENING = ("users", "tasks", "attachments", "trash", "accounts", "notifications", "webhooks", "purging")


def create_app(settings: Settings) -> Flask:
    """The application with these settings. Web processes, workers and tests all start with it.

    Raises Misconfigured. Connects lazily, so it may be called before a fork.
    """
    core_settings.use(settings)
    app = _flask(settings)
    _connect(settings)
    _register_listeners()
    requests.init_app(app)
    auth.init_app(app, settings, _keys(settings))
    limits.init_app(app, settings)
    _bind_extensions(app, settings)
    oidc.init_app(app, settings)
    errors.init_app(app)
    for part in (health, v1, docs):
        part.init_app(app)
    plugins.init_app(app, settings)
    return app


def _flask(settings: Settings) -> Flask:
    app = Flask("taskmanager", static_folder=None)
    app.config.update(
        MAX_CONTENT_LENGTH=settings.max_body_bytes,
        TESTING=settings.environment == "testing",
        PROPAGATE_EXCEPTIONS=False,
    )
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False
    urls.init_app(app, settings)
    return app


def _connect(settings: Settings) -> None:
    database.disconnect()
    database.connect(settings)
    access.forget()
    access.sources.load = _load_access
    access.sources.versions = users.access_versions
    access.sources.token_used = api_tokens.used
    access.sources.visitor = share_links.visitor
    holdings.use(HOLDINGS)
    attached.use(Attached(models=(Comment, Attachment), bytes_of=attachments.bytes_of))


def _load_access(user_id: ObjectId) -> Access | None:
    found = users.load_access(user_id)
    if found is None:
        return None
    roles, archived = projects.standing_of(user_id)
    return replace(found, project_roles=roles, archived=archived)


def _register_listeners() -> None:
    for feature in LISTENING:
        importlib.import_module(f"taskmanager.features.{feature}.listeners")


def _keys(settings: Settings) -> keyring.KeyRing:
    """Production must be given its keys; elsewhere the first one is made."""
    find = keyring.load if settings.environment == "production" else keyring.ensure
    return find(settings.keys_path)


def _bind_extensions(app: Flask, settings: Settings) -> None:
    app.config.update(
        COMPRESS_ALGORITHM=["zstd", "br", "gzip"],
        COMPRESS_BR_LEVEL=4,
        COMPRESS_MIN_SIZE=500,
        COMPRESS_MIMETYPES=[
            "application/json",
            "application/problem+json",
            "text/css",
            "text/javascript",
            "application/javascript",
        ],
        CACHE_TYPE="RedisCache",
        CACHE_REDIS_URL=settings.cache_url,
        CACHE_OPTIONS=stores.options(settings.redis_timeout_ms / 1000),
        CACHE_KEY_PREFIX="tm:cache:",
        CACHE_SERIALIZER=CacheSerializer(),
    )
    compress.init_app(app)
    cache.init_app(app)
