"""The fixtures of Task Manager: `app`, `caller`, `user`, `project`, `deliver` and more."""

pytest_plugins = ["taskmanager.testing"]
