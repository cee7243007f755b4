"""Markdown as HTML that is safe to show.

Raw HTML in the text is shown as text (markdown-it-py), and what comes out is cleaned once more by a list of what is
allowed (nh3, which is Ammonia), so that neither of the two has to be perfect.
"""

import html
from importlib import import_module

import nh3
from markdown_it import MarkdownIt
from markdown_it.token import Token

MAX_HTML_CHARACTERS = 250_000
_TAGS = {
    *("p", "br", "hr", "em", "strong", "s", "code", "pre", "blockquote", "a", "ul", "ol", "li"),
    *("h1", "h2", "h3", "h4", "h5", "h6", "table", "thead", "tbody", "tr", "th", "td"),
}
_ATTRIBUTES = {"a": {"href", "title"}, "ol": {"start"}}
_MARKDOWN = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"]).disable("image")
# Cells that a table adds to rows that are too short. The library's own bound turns 2 KB of text into 650 KB of HTML.
import_module("markdown_it.rules_block.table").MAX_AUTOCOMPLETED_CELLS = 1_000


def to_html(text: str) -> str:
    """Return the text as HTML without scripts, styles, images and forms; links lead to http, https and mailto only.

    A text whose HTML would be longer than MAX_HTML_CHARACTERS is returned as it was written, in `pre`.
    """
    tokens = _MARKDOWN.parse(text)
    if _attribute_characters(tokens) > MAX_HTML_CHARACTERS:
        return plain_html(text)
    found = nh3.clean(
        _MARKDOWN.renderer.render(tokens, _MARKDOWN.options, {}),
        tags=_TAGS,
        attributes=_ATTRIBUTES,
        url_schemes={"http", "https", "mailto"},
        link_rel="nofollow noopener noreferrer",
    )
    return found if len(found) <= MAX_HTML_CHARACTERS else plain_html(text)


def plain_html(text: str) -> str:
    """Return the text as HTML that shows it as it was written."""
    return f"<pre>{html.escape(text)}</pre>"


def _attribute_characters(tokens: list[Token]) -> int:
    """Return how long the attributes are together: one long link definition may be used by thousands of links."""
    parts = [child for token in tokens for child in token.children or ()]
    return sum(len(str(value)) for part in parts for value in part.attrs.values())
