"""The application factory and composition root: it puts the parts of the service together."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from bson import ObjectId
from flask import Flask

from taskmanager import plugins
from taskmanager.api import docs, health, information, service_guard, v1
from taskmanager.api.errors.protocol import PROTOCOL
from taskmanager.api.errors.rules import RULES
from taskmanager.api.version import ApiVersion
from taskmanager.core import registry
from taskmanager.core.configuration import settings as core_settings
from taskmanager.core.configuration.settings import Settings
from taskmanager.core.errors import Misconfigured, TaskManagerError
from taskmanager.core.events import outbox, retention, rq_jobs
from taskmanager.core.events.schedule import PeriodicJob
from taskmanager.core.security import access, keyring
from taskmanager.core.security.access import Access
from taskmanager.core.servers import stores
from taskmanager.core.storage import database
from taskmanager.extensions import CacheSerializer, CompressedBodies, cache, compress, compressed_key
from taskmanager.feature import Feature, build_registry, declared
from taskmanager.features.accounts import feature as accounts
from taskmanager.features.attachments import feature as attachments
from taskmanager.features.audit import feature as audit
from taskmanager.features.bulk import feature as bulk
from taskmanager.features.calendars import feature as calendars
from taskmanager.features.comments import feature as comments
from taskmanager.features.insights import feature as insights
from taskmanager.features.notifications import feature as notifications
from taskmanager.features.operations import feature as operations
from taskmanager.features.projects import feature as projects, service as project_service
from taskmanager.features.projects.invitations import invited
from taskmanager.features.projects.share_links import service as share_links
from taskmanager.features.purging import feature as purging
from taskmanager.features.quick_add import feature as quick_add
from taskmanager.features.sync import feature as sync
from taskmanager.features.tasks import feature as tasks
from taskmanager.features.tasks.schemas import TaskOut
from taskmanager.features.templates import feature as templates
from taskmanager.features.trash import feature as trash
from taskmanager.features.users import feature as users, service as user_service
from taskmanager.features.users.login_methods.routes import blueprint_of
from taskmanager.features.users.signup import policy as signup_policy
from taskmanager.features.users.tokens import service as api_tokens
from taskmanager.features.views import feature as views
from taskmanager.features.webhooks import feature as webhooks
from taskmanager.ops import routes as ops
from taskmanager.pages import routes as pages
from taskmanager.web import errors, limits, requests, urls
from taskmanager.web.authentication import actors
from taskmanager.web.browsers import cors
from taskmanager.web.requests import Application

# All features of the service except core, in the order of their contributions in the registry.
FEATURES = (
    users.FEATURE,
    audit.FEATURE,
    operations.FEATURE,
    projects.FEATURE,
    tasks.FEATURE,
    comments.FEATURE,
    attachments.FEATURE,
    views.FEATURE,
    templates.FEATURE,
    insights.FEATURE,
    quick_add.FEATURE,
    bulk.FEATURE,
    calendars.FEATURE,
    trash.FEATURE,
    notifications.FEATURE,
    webhooks.FEATURE,
    accounts.FEATURE,
    sync.FEATURE,
    sync.STREAM,
    purging.FEATURE,
)
CORE = Feature("core", errors=(*PROTOCOL, *RULES), periodic_jobs=declared(PeriodicJob, outbox, retention))


def create_app(settings: Settings) -> Flask:
    """Return the application with these settings. Web processes, workers and tests all start with it.

    Connects lazily, so it may be called before a fork. Raises Misconfigured.
    """
    app, loaded = _without_routes(settings)
    _add_routes(app, loaded)
    return app


def prepare(settings: Settings) -> None:
    """Let this process work with these settings as `create_app` does, but serve nothing: for commands.

    Raises Misconfigured.
    """
    _without_routes(settings)


def _without_routes(settings: Settings) -> tuple[Flask, tuple[Feature, ...]]:
    """Return the application, and the features whose routes it is to have."""
    core_settings.use(settings)
    rq_jobs.share_clock()
    loaded = load_features(settings)
    app = _flask(settings)
    _connect(settings)
    requests.init_app(app)
    cors.init_app(app, settings)
    service_guard.init_app(app, settings)
    actors.init_app(app, settings, _keys(settings))
    limits.init_app(app, settings)
    _bind_extensions(app, settings)
    for feature in loaded:
        _init_app(feature, app, settings)
    errors.init_app(app)
    return app, loaded


def load_features(settings: Settings) -> tuple[Feature, ...]:
    """Load the features and plugins into this process, so that events have listeners. Raises Misconfigured."""
    found = (CORE, *FEATURES, *plugins.load(settings))
    built = build_registry(found)
    if settings.attachment_store not in built.parts["storages"]:
        known = ", ".join(built.parts["storages"])
        raise Misconfigured(f"TASKMANAGER_ATTACHMENT_STORE: there is no file storage of this name; there are {known}")
    if shadowed := TaskOut().fields.keys() & built.parts["expansions"].keys():
        raise Misconfigured(f"the expansion {min(shadowed)!r} has the name of a field of tasks: it needs another")
    registry.use(built)
    return found


def _init_app(feature: Feature, app: Flask, settings: Settings) -> None:
    """Call a feature's init_app. Raises Misconfigured, which names a plugin that fails."""
    try:
        if feature.init_app:
            feature.init_app(app, settings)
    except TaskManagerError:
        raise
    except Exception as error:
        if not feature.is_plugin:
            raise
        raise _unusable(feature, "init_app", error) from error


def _unusable(feature: Feature, field: str, error: Exception) -> Misconfigured:
    return Misconfigured(f"the plugin {feature.name!r} failed in {field}: {type(error).__name__}: {error}")


def api_document() -> dict[str, Any]:
    """Return the OpenAPI document of version 1, without plugins; it needs no settings and no servers."""
    with registry.using(build_registry((CORE, *FEATURES))):
        return _version().document()


def routing_app(settings: Settings) -> Flask:
    """Return an application with all routes, also of plugins, that serves nothing: it needs no servers and no keys."""
    loaded = load_features(settings)
    app = Flask(__name__)
    service_guard.init_app(app, settings)
    _add_routes(app, loaded)
    return app


def _version() -> ApiVersion:
    return v1.version(blueprint for feature in FEATURES for blueprint in feature.blueprints)


def _add_routes(app: Flask, loaded: Iterable[Feature]) -> None:
    """Add version 1 of the API, the routes of plugins to it below `/x/<name of the plugin>`, and what is beside it."""
    health.init_app(app)
    version = _version()
    api = version.init_app(app)
    for feature in loaded:
        if not feature.is_plugin:
            service_guard.assign(app, feature, map(version.name_of, feature.blueprints))
    for plugin in (feature for feature in loaded if feature.is_plugin):
        logins = [blueprint_of(plugin.name, plugin.login_methods)] if plugin.login_methods else []
        for blueprint in (*plugin.blueprints, *logins):
            prefix = f"{version.prefix}/x/{plugin.name}{blueprint.url_prefix or ''}"
            name = f"x_{plugin.name}_{blueprint.name}"
            service_guard.assign(app, plugin, [name])
            try:
                api.register_blueprint(blueprint, name=name, url_prefix=prefix)
                api.describe()
            except Exception as error:
                raise _unusable(plugin, "blueprints", error) from error
    for part in (docs, information, pages, ops):
        part.init_app(app)


def _flask(settings: Settings) -> Flask:
    app = Application("taskmanager", static_folder=None)
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
    access.invalidate_all()
    access.loaders.load = _load_access
    access.loaders.versions = user_service.access_versions
    access.loaders.token_used = api_tokens.used
    access.loaders.visitor = share_links.visitor
    signup_policy.loaders.is_invited = invited.is_invited


def _load_access(user_id: ObjectId) -> Access | None:
    found = user_service.load_access(user_id)
    if found is None:
        return None
    roles, archived = project_service.load_project_roles([user_id])
    return replace(found, project_roles=roles.get(user_id, {}), archived=archived)


def _keys(settings: Settings) -> keyring.KeyRing:
    """Return the signing keys; outside of production the first one is created when there is none."""
    find = keyring.load if settings.environment == "production" else keyring.ensure
    return find(settings.keys_path)


def _bind_extensions(app: Flask, settings: Settings) -> None:
    app.config.update(
        COMPRESS_ALGORITHM=["zstd", "br", "gzip"],
        COMPRESS_BR_LEVEL=4,
        COMPRESS_MIN_SIZE=500,
        COMPRESS_CACHE_BACKEND=CompressedBodies,
        COMPRESS_CACHE_KEY=compressed_key,
        COMPRESS_MIMETYPES=[
            "application/json",
            "application/problem+json",
            "text/css",
            "text/javascript",
            "application/javascript",
            "text/html",
            "image/svg+xml",
        ],
        CACHE_TYPE="RedisCache",
        CACHE_REDIS_HOST=stores.client("cache", settings.cache_url, settings.redis_timeout_ms / 1000),
        CACHE_KEY_PREFIX="tm:cache:",
        CACHE_SERIALIZER=CacheSerializer(),
    )
    compress.init_app(app)
    cache.init_app(app)
