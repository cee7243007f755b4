"""Task Manager: a task-management backend with one event log behind every write."""

__version__ = "0.1.0"
