"""Conditions of the filter language, each as its text and as the same thing said in Python: (text, row → bool)."""

COMPARISONS = {
    "=": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<": lambda a, b: a is not None and a < b,
    "<=": lambda a, b: a is not None and a <= b,
    ">": lambda a, b: a is not None and a > b,
    ">=": lambda a, b: a is not None and a >= b,
}


def quoted(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def compared(name, operator, text, value):
    return f"{name} {operator} {text}", lambda row: COMPARISONS[operator](row[name], value)


def negated(part):
    return f"not ({part[0]})", lambda row: not part[1](row)


def joined(word, parts):
    holds = all if word == "and" else any
    return "(" + f" {word} ".join(text for text, _ in parts) + ")", lambda row: holds(part(row) for _, part in parts)


def among(name, yes, pairs):
    """`name in [...]` of (text, value) pairs, or `not in`."""
    texts, values = ", ".join(text for text, _ in pairs), [value for _, value in pairs]
    return f"{name} {'' if yes else 'not '}in [{texts}]", lambda row: (row[name] in values) == yes


def missing(name, yes):
    """`name is null`, or `is not null`."""
    return f"{name} is {'' if yes else 'not '}null", lambda row: (row[name] is None) == yes
