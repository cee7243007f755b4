"""A small OpenID Connect provider on a real HTTP server: discovery, code flow with PKCE, signed ID tokens."""

import base64
import hashlib
import hmac
import json
import secrets
import threading
import time
from functools import cache
from typing import Any
from urllib.parse import unquote_plus, urlencode

from flask import Flask, Response, jsonify, redirect, request
from joserfc import jwt
from joserfc.jwk import RSAKey
from werkzeug.serving import make_server

CLIENT_ID, CLIENT_SECRET = "task manager", "the secret: 100% of+the client"


@cache
def signing_key(number: int = 1) -> RSAKey:
    """One of several keys of the same name, each made once: that takes longer than most tests."""
    return RSAKey.generate_key(2048, {"kid": "one", "use": "sig", "alg": "RS256"})


class Provider:
    """Vouches for `person`; what a test changes of it makes it a bad one."""

    def __init__(self) -> None:
        self.key = signing_key()
        self.person: dict[str, Any] = {
            "sub": "p-1",
            "email": "ada@example.com",
            "email_verified": True,
            "name": "Ada Lovelace",
        }
        self.changes: dict[str, Any] = {}  # of the claims of the ID token
        self.algorithm = "RS256"
        self.refuses = False
        self.auth = "basic"  # how the client must show its secret; "post" is told in the discovery
        self.only_at_userinfo: set[str] = set()  # claims that the ID token leaves out
        self.userinfo_changes: dict[str, Any] = {}
        self.delay = 0.0
        self.garbage = False
        self.tokens: dict[str, Any] | None = None  # what a code gives, instead of an honest answer
        self.instead: dict[str, Any] = {}  # what "discovery" or "jwks" says instead
        self._codes: dict[str, dict[str, str]] = {}
        self._server = make_server("127.0.0.1", 0, self._app(), threaded=True)
        self.issuer = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _app(self) -> Flask:
        app = Flask("provider")
        app.add_url_rule("/.well-known/openid-configuration", view_func=self.discovery)
        app.add_url_rule("/authorize", view_func=self.authorize)
        app.add_url_rule("/token", view_func=self.token, methods=["POST"])
        app.add_url_rule("/jwks", view_func=self.jwks)
        app.add_url_rule("/userinfo", view_func=self.userinfo)
        return app

    def discovery(self) -> Any:
        time.sleep(self.delay)
        if self.garbage:
            return Response("<html>down</html>", 200)
        if "discovery" in self.instead:
            return jsonify(self.instead["discovery"])
        places = {"authorization_endpoint": "/authorize", "token_endpoint": "/token", "jwks_uri": "/jwks"}
        if self.only_at_userinfo:
            places["userinfo_endpoint"] = "/userinfo"
        known: dict[str, Any] = {name: self.issuer + path for name, path in places.items()}
        if self.auth == "post":
            known["token_endpoint_auth_methods_supported"] = ["client_secret_post"]
        return jsonify(
            known | {"issuer": self.issuer, "id_token_signing_alg_values_supported": ["RS256", "HS256", "none"]}
        )

    def authorize(self) -> Any:
        given = request.args
        assert (given["client_id"], given["response_type"]) == (CLIENT_ID, "code")
        assert given["code_challenge_method"] == "S256"
        if self.refuses:
            return redirect(f"{given['redirect_uri']}?{urlencode({'error': 'access_denied', 'state': given['state']})}")
        code = secrets.token_urlsafe(8)
        self._codes[code] = given.to_dict()
        answer = {"code": code, "state": given["state"], "session_state": "more than the standard asks for"}
        return redirect(f"{given['redirect_uri']}?{urlencode(answer)}")

    def token(self) -> Any:
        asked = self._codes.pop(request.form.get("code", ""), None)
        challenge = hashlib.sha256(request.form.get("code_verifier", "").encode()).digest()
        proved = asked and base64.urlsafe_b64encode(challenge).rstrip(b"=").decode() == asked["code_challenge"]
        if not asked or not proved or self._client() != (CLIENT_ID, CLIENT_SECRET):
            return jsonify({"error": "invalid_grant"}), 400
        if self.tokens is not None:
            return jsonify(self.tokens)
        return jsonify({"access_token": "x", "token_type": "Bearer", "id_token": self._id_token(asked["nonce"])})

    def _client(self) -> tuple[str | None, str | None]:
        """Identifier and secret of the client: both are form-encoded in Basic (RFC 6749, 2.3.1)."""
        if self.auth == "post":
            return request.form.get("client_id"), request.form.get("client_secret")
        given = request.authorization
        return (unquote_plus(given.username or ""), unquote_plus(given.password or "")) if given else (None, None)

    def userinfo(self) -> Any:
        assert request.headers["Authorization"] == "Bearer x"
        return jsonify(self.person | self.userinfo_changes)

    def jwks(self) -> Any:
        return jsonify(self.instead.get("jwks", {"keys": [self.key.as_dict(private=False)]}))

    def _id_token(self, nonce: str) -> str:
        now = int(time.time())
        claims = {"iss": self.issuer, "aud": CLIENT_ID, "iat": now, "exp": now + 300, "nonce": nonce}
        claims |= {name: self.person[name] for name in self.person.keys() - self.only_at_userinfo} | self.changes
        if self.algorithm == "RS256":
            return jwt.encode({"alg": "RS256", "kid": "one"}, claims, self.key)
        return self._forged(claims)

    def _forged(self, claims: dict[str, Any]) -> str:
        """What anybody can make: no signature, or one with the published key taken for a secret."""
        signed = f"{_encoded({'alg': self.algorithm, 'kid': 'one'})}.{_encoded(claims)}"
        if self.algorithm == "none":
            return f"{signed}."
        code = hmac.digest(self.key.as_pem(private=False), signed.encode(), "sha256")
        return f"{signed}.{base64.urlsafe_b64encode(code).rstrip(b'=').decode()}"


def _encoded(value: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()
