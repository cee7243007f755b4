"""The journey "plan a week": the script of docs/plan-a-week.md, as a person would run it, against a real server."""

import json
import os
import re
import subprocess

from taskmanager.features.tasks.models import Task
from taskmanager.features.tasks.reminders.models import Reminder


def test_the_script_of_the_documentation_runs(server, root):
    page = (root / "docs" / "plan-a-week.md").read_text()
    (script,) = re.findall(r"```sh\n(.*?)```", page, flags=re.DOTALL)
    environment = {"PATH": os.environ["PATH"], "API": f"{server.url}/api/v1"}
    ran = subprocess.run(["bash", "-eu", "-c", script], capture_output=True, text=True, timeout=300, env=environment)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    blocked, done, viewed, found, coming, title, rule, completed = ran.stdout.splitlines()
    assert (blocked, done, title, completed) == ("task.blocked", "done", "Gym", "3")
    assert (rule, found) == ("FREQ=MONTHLY;BYMONTHDAY=1", "Call the <mark>landlord</mark>")
    assert "T18:00:00+0" in coming
    shown = [task["title"] for task in json.loads(viewed)["items"]]
    assert shown[0] == "Plan the trip"  # what has no due comes first
    assert set(shown[1:]) == {"Call the landlord", "Gym", "Pay rent"}
    trip = Task.objects.get(title="Plan the trip")
    assert trip.progress == {"total": 2, "done": 2}
    assert Task.objects(title="Gym").count() == 2
    assert Reminder.objects.get().fire_at is not None
