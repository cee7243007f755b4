"""The mail sink keeps what arrives, byte for byte."""

import smtplib
from datetime import UTC, datetime

import pytest

from taskmanager.embedded import mail_sink


@pytest.fixture
def sink(tmp_path):
    server = mail_sink.MailSink(tmp_path / "run", mails=tmp_path / "mail")
    server.start()
    yield server
    server.stop()


def send(sink, recipients, content):
    with smtplib.SMTP("127.0.0.1", sink.port, timeout=60) as client:
        client.sendmail("from@example.com", recipients, content)
    return sorted(sink.mails.iterdir())


def test_writes_one_file_per_message(sink):
    (file,) = send(sink, ["ann@example.com"], b"Subject: Hello\r\n\r\nText\r\n")
    assert file.read_bytes() == b"Subject: Hello\r\n\r\nText\r\n"
    assert "_ann@example.com_" in file.name
    assert file.suffix == ".eml"


def test_survives_odd_bytes(sink):
    odd = bytes(range(1, 256)).replace(b"\r", b"").replace(b"\n", b"")
    (file,) = send(sink, ["ann@example.com"], b"Subject: \xff\xfe\r\n\r\n" + odd + b"\r\n")
    assert odd in file.read_bytes()
    assert len(send(sink, ["ben@example.com"], b"\r\nstill here\r\n")) == 2


def test_a_recipient_cannot_choose_the_folder(sink):
    (file,) = send(sink, ["../../../tmp/x@example.com"], b"\r\n\r\n")
    assert file.parent == sink.mails
    assert "/" not in file.name


def test_a_name_is_bounded_and_plain():
    name = mail_sink.file_name(["ä" * 500 + "@example.com"], b"", datetime(2026, 1, 31, tzinfo=UTC))
    assert len(name) < 120
    assert name.isascii()
