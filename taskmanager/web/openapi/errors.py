"""The codes of errors that each operation of the finished document can return."""

from collections import defaultdict
from collections.abc import Callable

from taskmanager.core.error_codes import ERROR_CODES, ErrorCode
from taskmanager.web.openapi.components import Json, conventional, problem_response
from taskmanager.web.openapi.shapes import operations, reference

# The beginnings of codes that only some operations return: what the operation has then.
_NEEDS: dict[str, Callable[[Json], bool]] = {
    "auth.": lambda operation: operation.get("security") != [],
    "permission.": lambda operation: operation.get("security") != [],
    "cursor.": lambda operation: "cursor" in _parameters(operation),
    "idempotency.": lambda operation: "#/components/parameters/Idempotency-Key" in _parameters(operation),
    "header.causal_token": lambda operation: "#/components/parameters/X-Causal-Token" in _parameters(operation),
    "header.mutation_id": lambda operation: "#/components/parameters/X-Mutation-ID" in _parameters(operation),
    "request.incomplete": lambda operation: "requestBody" in operation,
    "request.too_deep": lambda operation: "requestBody" in operation,
}


def add_codes(document: Json) -> None:
    """List the codes at each operation, and describe the responses of those that only some operations return."""
    declared = _declared()
    for operation in operations(document):
        statuses = [int(status) for status in operation["responses"] if status.isdigit() and int(status) >= 400]
        own = declared[operation["operationId"]]
        for status in sorted({status for code in own for status in code.statuses}):
            codes = [code for code in own if status in code.statuses]
            shared = [code for code in conventional(status) if code not in codes and _applies(code, operation)]
            operation["responses"][str(status)] = _response(status, [*codes, *shared])
        known = [code for status in statuses for code in conventional(status) if _applies(code, operation)]
        operation["x-error-codes"] = sorted({code.name for code in [*known, *own]})


def _declared() -> dict[str, list[ErrorCode]]:
    declared: dict[str, list[ErrorCode]] = defaultdict(list)
    for code in ERROR_CODES.values():
        for operation in code.operations.strip("*-").split():
            declared[operation].append(code)
    return declared


def _applies(code: ErrorCode, operation: Json) -> bool:
    return all(needs(operation) for start, needs in _NEEDS.items() if code.name.startswith(start))


def _parameters(operation: Json) -> set[str]:
    return {one.get("name") or one.get("$ref") for one in operation.get("parameters", [])}


def _response(status: int, codes: list[ErrorCode]) -> Json:
    response = problem_response(status, codes)
    response["content"]["application/problem+json"]["schema"] = reference("Problem")
    return response
