"""A plugin with one of each thing that a plugin can contribute. `feature.py` is where to begin.

Members greet each other on tasks. Greetings are stored, shown beside tasks, and told on a blackboard.
"""
