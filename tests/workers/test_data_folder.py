"""The data folder and the ports remembered in it."""

import os
import socket

import pytest

from taskmanager.core.errors import Misconfigured
from taskmanager.embedded import ports
from workers.data_folder import DataFolder


def test_has_one_owner_at_a_time(tmp_path):
    with DataFolder(tmp_path) as folder:
        assert folder.owner() == os.getpid()
        with (
            pytest.raises(Misconfigured, match=rf"process {os.getpid()}\) already runs.*make stop"),
            DataFolder(tmp_path),
        ):
            pass
    assert folder.owner() is None


def test_the_lock_file_of_a_killed_run_is_no_obstacle(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "up.lock").write_text("99999\n")
    with DataFolder(tmp_path) as folder:
        assert folder.owner() == os.getpid()


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    with (
        pytest.raises(Misconfigured, match=r"cannot be written.*TASKMANAGER_DATA_DIR"),
        DataFolder(tmp_path / "file"),
    ):
        pass


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(Misconfigured, match="Permission denied"), DataFolder(tmp_path):
        pass


def test_a_name_that_the_configuration_file_cannot_hold(tmp_path):
    with pytest.raises(Misconfigured, match="must have no line break"), DataFolder(tmp_path / "a ;b"):
        pass


def test_addresses_are_told_only_while_the_service_runs(tmp_path):
    with DataFolder(tmp_path) as folder:
        folder.note_addresses({"queue_url": "redis://127.0.0.1:1/0"})
        assert folder.addresses() == {"queue_url": "redis://127.0.0.1:1/0"}
    assert folder.addresses() == {}


def test_a_port_is_remembered_while_it_is_free(tmp_path):
    first = ports.noted(tmp_path / "port")
    assert ports.noted(tmp_path / "port") == first
    with socket.create_server((ports.LOCALHOST, first)):
        assert ports.noted(tmp_path / "port") != first


def test_a_damaged_note_is_replaced(tmp_path):
    (tmp_path / "port").write_text("no number")
    assert ports.noted(tmp_path / "port") > 0
