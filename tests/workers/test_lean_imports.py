"""What processes leave out of the libraries that they import, and that it is there when it is used."""

import os
import subprocess
import sys

from tests.faults.stack import ROOT
from workers.lean_imports import OPTIONAL, PARTS

UNUSED = {*OPTIONAL, *PARTS, "attr", "pygments", "typer", "valkey", "cryptography.x509.base", "multiprocessing"}


def output(code, **environment):
    """What a process of its own prints last."""
    command = [sys.executable, "-c", code]
    ran = subprocess.run(command, cwd=ROOT, env=os.environ | environment, capture_output=True, text=True, timeout=60)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.splitlines()[-1].split()


def test_a_web_process_imports_no_more_than_it_uses(tmp_path):
    code = "import sys, config.gunicorn, taskmanager.app, workers.process; print(*sys.modules)"
    loaded = output(code, TASKMANAGER_DATA_DIR=str(tmp_path), TASKMANAGER_ENVIRONMENT="testing")
    assert "redis" in loaded
    assert not UNUSED & set(loaded)


def test_commands_of_processes_import_no_more_than_they_use():
    code = "import sys; from workers.cli import _process; _process('relay'); print(*sys.modules)"
    loaded = output(code)
    assert "redis" in loaded
    assert not UNUSED & set(loaded)


def test_only_packages_hand_on_what_was_left_out():
    """What a function of a module uses is found in the module itself, so a module must have it."""
    code = """
import sys
from workers.lean_imports import import_libraries
import_libraries()
modules = list(sys.modules.values())
assert not [one for one in modules for value in vars(one).values() if type(value).__name__ == "_Absent"]
print(*(one.__name__ for one in modules if getattr(vars(one).get("__getattr__"), "func", None)))
"""
    assert set(output(code)) == {"gridfs", "limits", "pymongo", "redis", "rq"}


def test_what_was_left_out_is_there_when_it_is_used():
    code = """
from workers.lean_imports import import_libraries
import_libraries()
import gridfs, limits, pymongo, redis, rq
import rich, greenlet, opentelemetry.sdk, pytz, yaml
from mongoengine import DateTimeField
assert DateTimeField().to_mongo("28 November 2026").day == 28
attributes = redis.asyncio.Redis, limits.aio.strategies, pymongo.AsyncMongoClient, gridfs.AsyncGridFS, rq.Worker
from gridfs import AsyncGridFS, GridFS
from limits.aio import strategies
from pymongo import AsyncMongoClient
from redis.asyncio import Redis
from rq.worker import Worker
from cryptography.x509 import load_pem_x509_certificate
print(attributes == (Redis, strategies, AsyncMongoClient, AsyncGridFS, Worker), hasattr(redis, "nothing"))
"""
    assert output(code) == ["True", "False"]


def test_only_the_settings_in_use_have_a_validator(tmp_path):
    """Those of the other environments, and the parts that they are made of, had one each: 2 MB."""
    code = """
import config.settings as kinds
from taskmanager.core.configuration.settings import Settings
kinds.load()
print(*(one.__name__ for one in (*Settings.__mro__, *kinds._KINDS.values()) if vars(one).get("__pydantic_complete__")))
"""
    made = output(code, TASKMANAGER_DATA_DIR=str(tmp_path), TASKMANAGER_ENVIRONMENT="testing")
    assert {"Testing"} <= set(made) <= {"Testing", "BaseSettings", "BaseModel"}, made
