"""The names of the code: one class of a name, verbs first, and no word that only its author knows."""

import ast
import io
import re
import tokenize
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

PLACES = ("taskmanager", "workers", "migrations", "config")
# What a docstring must not begin with: articles, pronouns, question words, numbers, participles and prepositions.
NO_VERB = re.compile(
    r"(?:A|An|The|This|That|These|Those|One|Two|Some|Any|All|Each|Every|Many|Several|Only|Nothing|Something|What|Who|Whom|Whose|"
    r"Which|Where|When|Whether|How|Why|My|Your|Our|Its|Their|It|They|We|I|You|As|At|By|For|From|In|Into|Of|On|To|With|Without|"
    r"Called|Counted|Left|Told|Started|Known|Names|Ids|Id|Members|Tasks|Rows|Nothing|Itself|Then|Also|Not|No)\b"
    r"|[^A-Z]"
)
# A constant says MAX_ or MIN_; a superlative is another word for it.
NO_BOUND = re.compile(
    r"(?:^|_)(?:MOST|LEAST|LONGEST|SHORTEST|LARGEST|SMALLEST|DEEPEST|HIGHEST|LOWEST|OLDEST|BIGGEST)(?:_|$)"
)
# Words that were names here once, each with the term that the field has for it (docs/glossary.md).
OUTWORN = {
    "wishes": "policy",
    "lanes": "thread pool",
    "tally": "outcome counters",
    "remembered": "cached_values",
    "belongings": "labels, custom_fields",
    "pacer": "throttle",
    "in_force": "effective settings",
    "leaving": "deletion",
    "arranging": "placement, hierarchy",
    "finding": "listing",
    "sealed": "signed_tokens",
    "unseal": "verify",
    "tell_parents": "update_parent_progress",
    "cards": "public_profiles",
    "standing_of": "load_project_roles",
    "who_may_act": "active_user_ids",
    "hand_out": "dispatch",
    "mend": "fix",
}


def _trees(root: Path) -> Iterator[tuple[str, ast.Module]]:
    for place in PLACES:
        for path in sorted((root / place).rglob("*.py")):
            yield str(path.relative_to(root)), ast.parse(path.read_text())


def test_a_class_name_exists_once(root: Path):
    places = defaultdict(list)
    for path, tree in _trees(root):
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef) and node.name != "Meta":  # marshmallow's own word within a schema
                places[node.name].append(path)
    assert {name: paths for name, paths in places.items() if len(paths) > 1} == {}


def test_docstrings_of_functions_begin_with_a_verb(root: Path):
    found = []
    for path, tree in _trees(root):
        for node in ast.walk(tree):
            text = ast.get_docstring(node) if isinstance(node, ast.FunctionDef) else None
            if text and NO_VERB.match(text):
                found.append(f"{path}:{node.lineno} {text.splitlines()[0]}")
    assert not found, "\n".join(found)


def test_bounds_are_called_max_and_min(root: Path):
    found = [
        f"{path}: {name.id}"
        for path, tree in _trees(root)
        for node in tree.body
        for name in ast.walk(node)
        if isinstance(name, ast.Name) and name.id.isupper() and NO_BOUND.search(name.id)
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("place", [*PLACES, "tests"])
def test_outworn_words_are_no_names(root: Path, place: str):
    found = []
    for path in sorted((root / place).rglob("*.py")):
        for token in tokenize.generate_tokens(io.StringIO(path.read_text()).readline):
            if token.type == tokenize.NAME and token.string.lower().strip("_") in OUTWORN:
                found.append(f"{path.relative_to(root)}:{token.start[0]} {token.string}")
    assert not found, "\n".join(found)
