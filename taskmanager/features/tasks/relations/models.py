"""Relations between tasks."""

from mongoengine import ObjectIdField, StringField

from taskmanager.core.storage.documents import Versioned

# The stored kinds, each with its name from the other end.
INVERSES = {"blocks": "blocked_by", "precedes": "follows", "duplicates": "duplicated_by", "relates": "relates"}
DIRECTED = {inverse: kind for kind, inverse in INVERSES.items() if inverse != kind}
KINDS = (*INVERSES, *DIRECTED)
ACYCLIC = ("blocks", "precedes")


class Relation(Versioned):
    """A relation between two tasks, stored in its direction; without a direction the smaller id is `from_id`."""

    meta = {"collection": "relations", "db_alias": "tasks"}
    shard_field = "from_id"

    from_id = ObjectIdField(required=True)
    to_id = ObjectIdField(required=True)
    kind = StringField(required=True, choices=tuple(INVERSES))
    created_by = ObjectIdField(required=True)
