"""The error codes of bulk operations."""

from taskmanager.core.error_codes import ErrorCode

CODES = (
    ErrorCode(
        "bulk.too_many",
        409,
        "The operations change too many tasks",
        "One request changes a limited number of tasks, and a filter matches more.",
        "Narrow the filter, and repeat until `dry_run` counts none.",
        "run_bulk_operations",
    ),
    ErrorCode(
        "bulk.unexpected_count",
        409,
        "The filter matches another number of tasks",
        "`count` is the number of tasks now, `expect` the one that the request names.",
        "Look at the tasks again with `dry_run`, and send the new number.",
        "run_bulk_operations",
    ),
    ErrorCode(
        "bulk.unfinished",
        503,
        "The time was over before this operation",
        "Earlier operations of the request took all of its time. They are done.",
        "Repeat the request with the same Idempotency-Key: it continues.",
        "run_bulk_operations",
    ),
)
