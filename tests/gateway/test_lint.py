"""The rendered configuration passes gixy, with each sort of setting."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from taskmanager.app import routing_app
from taskmanager.gateway import rendering
from tests.gateway import nginx

# What gixy says of every configuration of this kind, and why it does not matter here.
EXCEPTIONS = {
    "missing_resolver": "requests are passed to upstreams of the same file, never to a host that must be resolved",
}
SETTINGS = {
    "one service": {},
    "services apart": {f"{name}_servers": f"unix:/run/{name}.sock" for name in ("user", "task", "notification")},
    "TLS behind proxies": {
        "tls_certificate": Path("/etc/tls.pem"),
        "tls_key": Path("/etc/tls.key"),
        "listen": "0.0.0.0:443,[::]:443",
        "redirect_listen": "0.0.0.0:80",
        "trusted_proxies": "10.0.0.0/8",
        "nginx_version": "1.28.0",
        "servers": "web:8000",
        "resolver": "127.0.0.11",
    },
}


@pytest.mark.parametrize("name", SETTINGS)
def test_gixy_finds_nothing(settings, tmp_path, name):
    config = tmp_path / "nginx.conf"
    config.write_text(
        rendering.render(routing_app(settings), settings, nginx.gateway_settings(tmp_path, **SETTINGS[name]))
    )
    gixy = Path(sys.executable).with_name("gixy")
    ran = subprocess.run([gixy, "-f", "json", str(config)], capture_output=True, text=True, check=False)
    found = [(one["plugin"], one["summary"], one.get("config")) for one in json.loads(ran.stdout)]
    assert [one for one in found if one[0] not in EXCEPTIONS] == []


def test_what_a_version_does_not_know_is_left_out(settings, tmp_path):
    render = lambda version: rendering.render(  # noqa: E731
        routing_app(settings),
        settings,
        nginx.gateway_settings(tmp_path, nginx_version=version, tls_certificate="/a", tls_key="/a"),
    )
    old, new = render("1.22.1"), render("1.27.4")
    assert "keepalive_min_timeout" not in old and "ssl http2;" in old
    assert "keepalive_min_timeout 3s;" in new and "http2 on;" in new and "ssl http2;" not in new


def test_names_are_looked_up_again_where_the_version_can(settings, tmp_path):
    from taskmanager.core.errors import Misconfigured

    new = {"nginx_version": "1.27.3", "resolver": "127.0.0.11", "servers": "web:8000,unix:/run/web.sock"}
    config = rendering.render(routing_app(settings), settings, nginx.gateway_settings(tmp_path, **new))
    assert "resolver 127.0.0.11 valid=5s;" in config
    assert "server web:8000 resolve max_fails" in config and "server unix:/run/web.sock max_fails" in config
    with pytest.raises(Misconfigured, match=r"1\.27\.3"):
        nginx.gateway_settings(tmp_path, **new | {"nginx_version": "1.26.0"})


def test_every_place_sets_the_headers_of_the_gateway(settings, tmp_path):
    """NGINX inherits `proxy_set_header` only where a location sets none of its own."""
    config = rendering.render(routing_app(settings), settings, nginx.gateway_settings(tmp_path))
    assert config.count("proxy_set_header Host ") == config.count('proxy_set_header X-Real-IP "";') == 2


@pytest.mark.parametrize(
    "name", ["listen", "servers", "stream_servers", "tls_certificate", "trusted_proxies", "resolver"]
)
def test_a_setting_cannot_add_a_directive(name, tmp_path):
    from taskmanager.core.errors import Misconfigured

    with pytest.raises(Misconfigured, match=name.upper()):
        nginx.gateway_settings(tmp_path, **{name: "127.0.0.1:80; include /etc/passwd"})
