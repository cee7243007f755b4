"""The Flask extensions, unbound: `app.py` binds them. Imports nothing of ours."""

from flask import request
from flask_caching import Cache
from flask_compress import Compress
from flask_limiter import Limiter

cache = Cache()
compress = Compress()
# web/limits.py sets who is counted. Requests that match no route are counted too, which they are not by default.
limiter = Limiter(key_func=lambda: "unset", request_identifier=lambda: request.endpoint or "unmatched")
