"""Counts of tasks, from which statistics and facets without a filter are answered."""

from mongoengine import DateTimeField, DictField, Document, IntField, ObjectIdField


class TaskCounts(Document):
    """Numbers of the tasks of one project that are not in the trash: all of them, or those of one week.

    The document without a `week` has {status: {group: tasks}}, {priority: tasks}, {label: tasks} and the numbers of
    each person; `none` counts the tasks without labels or assignees. Tasks whose due is before `overdue_before` are in
    the numbers of overdue ones; a reader counts those that were due since. The document of a week has the tasks that
    were created, completed or closed in it, by time slots: see `slots`. Numbers that are zero may be stored.
    """

    meta = {"collection": "task_counts", "db_alias": "tasks", "strict": False, "auto_create_index": False}

    project_id = ObjectIdField(required=True)
    week = IntField(null=True)

    status = DictField()
    priority = DictField()
    label = DictField()
    person = DictField()  # {id: {tasks, open, overdue, estimate}}; `estimate` in minutes, of the open tasks
    all_closed = IntField()
    overdue = IntField()
    overdue_before = DateTimeField()
    writes = IntField()  # number of writes; each changes this document, so that transactions on it conflict
    repairs = IntField()  # number of repairs

    created = DictField()  # {week: {slot: tasks}, hours: {hour: tasks}, quarters: {quarter: tasks}}
    closed = DictField()  # {hours: {hour: tasks}, quarters: {quarter: tasks}}
    completed = DictField()  # {slot: {tasks, ms: sum of cycle times, hours: {hundredths of an hour: tasks}}}
