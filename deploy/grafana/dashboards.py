"""Write the dashboards of Grafana beside this file: `python deploy/grafana/dashboards.py`."""

import json
from pathlib import Path
from typing import Any

_WIDTH, _HEIGHT, _COLUMNS = 12, 8, 2

# {dashboard: {title of a panel: (unit, {legend: expression})}}
DASHBOARDS: dict[str, dict[str, tuple[str, dict[str, str]]]] = {
    "service": {
        "Requests by status": ("reqps", {"{{status}}": "sum by (status) (rate(taskmanager_http_requests_total[5m]))"}),
        "Errors, share": ("percentunit", {"5 min": "taskmanager:error_ratio:5m", "1 h": "taskmanager:error_ratio:1h"}),
        "Latency": (
            "s",
            {
                f"p{share}": f"histogram_quantile(0.{share}, sum by (le) "
                "(rate(taskmanager_http_request_duration_seconds_bucket[5m])))"
                for share in (50, 90, 99)
            },
        ),
        "Slowest routes, mean": (
            "s",
            {
                "{{method}} {{route}}": "topk(10, sum by (method, route) "
                "(rate(taskmanager_http_request_duration_seconds_sum[5m])) / sum by (method, route) "
                "(rate(taskmanager_http_request_duration_seconds_count[5m])))"
            },
        ),
        "Commands of MongoDB": (
            "ops",
            {"{{command}}": "sum by (command) (rate(taskmanager_mongodb_command_duration_seconds_count[5m]))"},
        ),
        "Commands of MongoDB, mean": (
            "s",
            {
                "{{command}}": "sum by (command) (rate(taskmanager_mongodb_command_duration_seconds_sum[5m])) "
                "/ sum by (command) (rate(taskmanager_mongodb_command_duration_seconds_count[5m]))"
            },
        ),
        "Round trips to the stores, p99": (
            "s",
            {
                "{{store}}": "histogram_quantile(0.99, sum by (le, store) "
                "(rate(taskmanager_store_duration_seconds_bucket[5m])))"
            },
        ),
        "Connections to MongoDB": (
            "short",
            {"{{role}} {{state}}": "sum by (role, state) (taskmanager_mongodb_pool_connections)"},
        ),
        "Refusals by budget": (
            "reqps",
            {"{{budget}}": "sum by (budget) (rate(taskmanager_limiter_refusals_total[5m]))"},
        ),
        "Memory": ("bytes", {"{{role}} {{pid}}": "taskmanager_process_resident_memory_bytes"}),
        "Processor": ("percentunit", {"{{role}}": "sum by (role) (rate(taskmanager_process_cpu_seconds_total[5m]))"}),
        "Checks that do not pass": ("short", {"{{check}} {{component}}": "taskmanager:check_status > 0"}),
    },
    "workers": {
        "Jobs that wait": ("short", {"{{queue}}": "max by (queue) (taskmanager_queue_waiting)"}),
        "Age of the first job": ("s", {"{{queue}}": "max by (queue) (taskmanager_queue_oldest_seconds)"}),
        "Jobs": ("ops", {"{{queue}} {{outcome}}": "sum by (queue, outcome) (rate(taskmanager_jobs_total[5m]))"}),
        "Duration of jobs, mean": (
            "s",
            {
                "{{job}}": "sum by (job) (rate(taskmanager_job_duration_seconds_sum[5m])) "
                "/ sum by (job) (rate(taskmanager_job_duration_seconds_count[5m]))"
            },
        ),
        "Event log": (
            "short",
            {"waiting": "max(taskmanager_events_waiting)", "given up": "max(taskmanager_events_dead)"},
        ),
        "Age of the oldest event": ("s", {"age": "max(taskmanager_events_oldest_seconds)"}),
        "Attempts to send": (
            "ops",
            {"{{channel}} {{outcome}}": "sum by (channel, outcome) (rate(taskmanager_attempts_total[5m]))"},
        ),
        "Deliveries": (
            "short",
            {"pending": "max(taskmanager_deliveries_pending)", "given up": "max(taskmanager_deliveries_dead)"},
        ),
    },
    "business": {
        "Users that are active": ("short", {"{{period}}": "max by (period) (taskmanager_active_users)"}),
        "Sessions": ("short", {"live": "max(taskmanager_sessions)"}),
        "Tasks": (
            "short",
            {
                "{{kind}} in an hour": "sum by (kind) "
                '(increase(taskmanager_events_recorded_total{kind=~"task.created|task.completed"}[1h]))'
            },
        ),
        "Logins and failures": (
            "short",
            {
                "logins": 'sum(increase(taskmanager_events_recorded_total{kind="session.started"}[1h]))',
                "failures": 'sum(increase(taskmanager_events_recorded_total{kind="login.failed"}[1h]))',
                "lockouts": 'sum(increase(taskmanager_http_problems_total{code="auth.locked"}[1h]))',
            },
        ),
        "All events": (
            "short",
            {"{{kind}}": "topk(15, sum by (kind) (increase(taskmanager_events_recorded_total[1h])))"},
        ),
        "Release": ("short", {"{{version}}": "count by (version) (taskmanager_build_info)"}),
    },
}


def dashboard(name: str) -> dict[str, Any]:
    """Return a dashboard as Grafana imports it."""
    panels = [_panel(number, title, *panel) for number, (title, panel) in enumerate(DASHBOARDS[name].items())]
    return {
        "uid": f"taskmanager-{name}",
        "title": f"Task Manager: {name}",
        "tags": ["taskmanager"],
        "schemaVersion": 39,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "templating": {"list": [{"name": "datasource", "type": "datasource", "query": "prometheus"}]},
        "panels": panels,
    }


def _panel(number: int, title: str, unit: str, lines: dict[str, str]) -> dict[str, Any]:
    x, y = number % _COLUMNS * _WIDTH, number // _COLUMNS * _HEIGHT
    targets = [
        {"refId": chr(65 + place), "expr": expression, "legendFormat": legend}
        for place, (legend, expression) in enumerate(lines.items())
    ]
    return {
        "id": number + 1,
        "type": "timeseries",
        "title": title,
        "datasource": {"type": "prometheus", "uid": "${datasource}"},
        "gridPos": {"x": x, "y": y, "w": _WIDTH, "h": _HEIGHT},
        "fieldConfig": {"defaults": {"unit": unit, "min": 0}, "overrides": []},
        "targets": targets,
    }


def main() -> None:
    """Write all dashboards."""
    for name in DASHBOARDS:
        path = Path(__file__).with_name(f"{name}.json")
        path.write_text(json.dumps(dashboard(name), indent=1) + "\n")


if __name__ == "__main__":
    main()
