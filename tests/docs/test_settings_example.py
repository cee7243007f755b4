"""`config/env.example` names every setting, with the default that is in force."""

from pathlib import Path

import pytest

from config.settings import Development
from taskmanager.core.configuration.gateway_settings import GatewaySettings
from taskmanager.core.configuration.settings import Settings


@pytest.fixture
def example(root: Path) -> dict[str, str]:
    lines = (root / "config" / "env.example").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def test_names_every_setting_and_no_other(example):
    of_gateway = {f"TASKMANAGER_GATEWAY_{name.upper()}" for name in GatewaySettings.model_fields}
    assert set(example) == of_gateway | {f"TASKMANAGER_{name.upper()}" for name in Settings.model_fields}


def test_says_the_defaults_that_are_in_force(example, monkeypatch):
    for name in list(example):
        monkeypatch.delenv(name, raising=False)
    defaults = Development(), GatewaySettings()
    for name, value in example.items():
        monkeypatch.setenv(name, value)
    assert (Development(), GatewaySettings()) == defaults


def test_each_variable_has_a_sentence_above_it(root: Path):
    above = ""
    for line in (root / "config" / "env.example").read_text().splitlines():
        if line and not line.startswith("#"):
            assert above.startswith(("#", "TASKMANAGER_")), f"{line} stands without a word"
        above = line
