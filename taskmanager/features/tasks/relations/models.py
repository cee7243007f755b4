"""Relations between tasks."""

from mongoengine import ObjectIdField, StringField

from taskmanager.core.storage.documents import Versioned

# What is stored, and what it is called from the other end.
INVERSES = {"blocks": "blocked_by", "precedes": "follows", "duplicates": "duplicated_by", "relates": "relates"}
DIRECTED = {inverse: kind for kind, inverse in INVERSES.items() if inverse != kind}
KINDS = (*INVERSES, *DIRECTED)
ACYCLIC = ("blocks", "precedes")


class Relation(Versioned):
    """That one task has to do with another. One that has a direction is stored in it; else the smaller id is first."""

    meta = {"collection": "relations", "db_alias": "tasks"}

    from_id = ObjectIdField(required=True)
    to_id = ObjectIdField(required=True)
    kind = StringField(required=True, choices=tuple(INVERSES))
    created_by = ObjectIdField(required=True)
