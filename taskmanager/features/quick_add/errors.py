"""The error codes of tasks in one line of text."""

from taskmanager.core.error_codes import invalid

_OPERATION = "quick_add_task"

CODES = (
    invalid(
        "quick.no_title", "The text has no title", "All words were read as attributes.", "Add a title.", _OPERATION
    ),
    invalid(
        "quick.title_too_long",
        "The title is too long",
        "What is left after the attributes is longer than a title may be.",
        "Shorten it; long text belongs into the description.",
        _OPERATION,
    ),
    invalid(
        "quick.too_many",
        "The text has too many attributes",
        "A task has a limit of labels and assignees.",
        "Remove some.",
        _OPERATION,
    ),
    invalid(
        "quick.project_unknown",
        "There is no such project",
        "The text names no project, or one that you do not see.",
        "Name a project by its key, or send `project_id`.",
        _OPERATION,
    ),
    invalid(
        "quick.label_unknown",
        "There is no such label",
        "The project has no label of this name.",
        "Make the label first, or correct the name.",
        _OPERATION,
    ),
    invalid(
        "quick.person_unknown",
        "There is no such member, or more than one",
        "No member, or more than one, has this name.",
        "Write the address of the member.",
        _OPERATION,
    ),
)
