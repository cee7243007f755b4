"""The files in deploy/logs: a real rsyslog ships our lines through an outage; the rest is parsed and compared."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from config.log_fields import NAMES
from config.log_output import RotatedFile
from tests.deploy.bulk_sink import BulkSink
from tests.faults.stack import eventually

LOGS = Path(__file__).parents[2] / "deploy" / "logs"
RSYSLOGD = shutil.which("rsyslogd", path="/usr/sbin:/sbin:/usr/bin")
PLUGIN = Path("/usr/lib/x86_64-linux-gnu/rsyslog/omelasticsearch.so")
needs_rsyslog = pytest.mark.skipif(
    not (RSYSLOGD and PLUGIN.exists()), reason="needs rsyslog and rsyslog-elasticsearch of Debian"
)


class Shipper:
    """rsyslogd with our configuration, in folders of the test, with short waits."""

    def __init__(self, folder: Path, port: int) -> None:
        self.log, self._folder = folder / "logs" / "taskmanager.log", folder
        for name in ("logs", "state"):
            (folder / name).mkdir()
        text = (LOGS / "rsyslog.conf").read_text()
        for ours, its in (
            ("/var/log/taskmanager", str(self.log.parent)),
            ("/var/lib/rsyslog", str(folder / "state")),
            ("http://127.0.0.1:9200", f"http://127.0.0.1:{port}"),
            ('action.resumeInterval="5"', 'action.resumeInterval="1"'),
        ):
            assert ours in text
            text = text.replace(ours, its)
        self.configuration = folder / "rsyslog.conf"
        self.configuration.write_text(f'global(workDirectory="{folder / "state"}")\n{text}')
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [RSYSLOGD, "-n", "-f", str(self.configuration), "-i", str(self._folder / "pid")]
        with (self._folder / "rsyslogd.log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)

    def stop(self) -> None:
        if self._process:
            self._process.terminate()
            self._process.wait(60)
            self._process = None

    @property
    def refused(self) -> Path:
        return self._folder / "state" / "taskmanager-refused.log"


@pytest.fixture
def sink() -> Iterator[BulkSink]:
    sink = BulkSink()
    sink.open()
    yield sink
    sink.close()


@pytest.fixture
def shipper(tmp_path: Path, sink: BulkSink) -> Iterator[Shipper]:
    shipper = Shipper(tmp_path, sink.port)
    yield shipper
    shipper.stop()


@needs_rsyslog
def test_every_line_arrives_once_also_through_an_outage(sink, shipper):
    """Lines are written while Elasticsearch is away, refuses, and is full; rsyslog is restarted and files rotate."""
    file = RotatedFile(shipper.log, 20_000, 100, 14)
    written: list[str] = []

    def write(number: int, message: str = 'said ä "x" \\n') -> None:
        for _ in range(number):
            line = json.dumps({"@timestamp": f"2026-11-28T00:00:00.{len(written):06}Z", "message": message})
            written.append(line)
            file.write(line.encode() + b"\n")

    def arrived() -> bool:
        return len(sink.documents) == len(written)

    shipper.start()
    write(20)
    eventually(arrived, "the first lines")
    sink.close()
    write(300)
    shipper.stop()
    shipper.start()
    write(20)
    sink.status = 503
    sink.open()
    write(20)
    sink.busy, sink.status = 5, 200
    eventually(arrived, "all lines")
    found = [json.loads(line) for line in sink.documents.values()]
    assert sorted(found, key=str) == sorted(map(json.loads, written), key=str)
    assert {action["_index"] for action in sink.actions} == {"logs-taskmanager-default"}
    assert len(list(shipper.log.parent.glob("taskmanager.log.2*"))) >= 1
    file.write(b'no JSON\n{"message": "unwanted"}\n')
    write(1, "long as a traceback " * 1500)
    eventually(arrived, "the last line")
    assert set(written[-1:]) <= set(sink.documents.values())  # it is whole
    assert "no JSON" not in sink.documents.values()
    eventually(shipper.refused.exists, "the document that is never taken")
    assert shipper.refused.read_text() == '400 {"message":"unwanted"}\n'
    seen = len(sink.actions)
    shipper.stop()
    assert len(sink.actions) - seen < 5  # nothing is sent without end


@needs_rsyslog
def test_rsyslog_finds_no_fault_in_its_configuration(shipper):
    ran = subprocess.run([RSYSLOGD, "-N1", "-f", shipper.configuration], capture_output=True, text=True, check=True)
    assert not re.search("error|warning", ran.stderr, re.IGNORECASE)


def test_the_template_knows_the_fields_of_our_lines_and_its_policy():
    template: dict[str, Any] = json.loads((LOGS / "index-template.json").read_text())
    properties = template["template"]["mappings"]["properties"]
    assert set(NAMES.values()) | {"trace.id", "span.id", "event.duration", "ecs.version", "service.name"} <= set(
        properties
    )
    assert template["template"]["settings"]["index.lifecycle.name"] == "taskmanager-logs"
    policy = json.loads((LOGS / "ilm-policy.json").read_text())
    assert policy["policy"]["phases"]["delete"]["actions"] == {"delete": {}}
    assert "logs-taskmanager-default".startswith(template["index_patterns"][0].rstrip("*"))


def test_filebeat_reads_the_same_files_and_writes_to_the_same_index():
    """Only parsed: there is no Filebeat here."""
    found = yaml.safe_load((LOGS / "filebeat.yml").read_text())
    [source] = found["filebeat.inputs"]
    assert source["paths"][0] in (LOGS / "rsyslog.conf").read_text()
    assert found["output.elasticsearch"]["index"] == "logs-taskmanager-default"
    assert source["parsers"][0]["ndjson"]["target"] == ""
