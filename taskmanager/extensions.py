"""The Flask extensions, unbound: `app.py` binds them. Imports nothing of ours."""

from flask_caching import Cache
from flask_compress import Compress
from flask_limiter import Limiter

cache = Cache()
compress = Compress()
limiter = Limiter(key_func=lambda: "unset")  # web/limits.py sets who is counted
