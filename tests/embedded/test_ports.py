"""Ports of the embedded servers."""

import os
import socket
from pathlib import Path

from taskmanager.embedded import ports


def test_a_chosen_port_is_free_and_is_given_to_no_outgoing_connection():
    port = ports.choose()
    first_ephemeral = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    assert ports.is_free(port) and port < first_ephemeral


def test_no_port_is_chosen_twice_by_a_process_or_by_one_beside_it(monkeypatch):
    """Their servers listen some time later."""
    monkeypatch.setattr(ports, "_given", set())
    chosen = [ports.choose() for _ in range(300)]
    assert len(set(chosen)) == 300
    monkeypatch.setattr(ports, "_given", set())
    following = os.getpid() + 1
    monkeypatch.setattr(os, "getpid", lambda: following)
    assert not set(chosen) & {ports.choose() for _ in range(300)}


def test_a_port_that_is_taken_is_not_free():
    with socket.create_server((ports.LOCALHOST, 0)) as server:
        assert not ports.is_free(server.getsockname()[1])
