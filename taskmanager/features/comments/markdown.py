"""Render Markdown as safe HTML.

markdown-it-py escapes raw HTML in the text, and nh3 (Ammonia) sanitizes the result with an allow-list, so that a bug in
one of the two is not enough for an attack.
"""

import html
from importlib import import_module

import nh3
from markdown_it import MarkdownIt
from markdown_it.token import Token

MAX_TEXT_CHARACTERS = 20_000  # of a text that is rendered: some take time that grows with the square of their length
MAX_HTML_CHARACTERS = 250_000
_TAGS = {
    *("p", "br", "hr", "em", "strong", "s", "code", "pre", "blockquote", "a", "ul", "ol", "li"),
    *("h1", "h2", "h3", "h4", "h5", "h6", "table", "thead", "tbody", "tr", "th", "td"),
}
_ATTRIBUTES = {"a": {"href", "title"}, "ol": {"start"}}
# The number of cells that a table adds to short rows. The library's default turns 2 KB of text into 650 KB of HTML.
# A plain import of the module would get the function `table`, which the package exports under the same name.
vars(import_module("markdown_it.rules_block.table"))["MAX_AUTOCOMPLETED_CELLS"] = 1_000


def _parser() -> MarkdownIt:
    """Return the parser with its rules compiled, which it does at its first text: other threads find none then."""
    made = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"]).disable("image")
    made.render("a")
    return made


_MARKDOWN = _parser()


def to_html(text: str) -> str:
    """Return the text as HTML without scripts, styles, images and forms, and with http, https and mailto links only.

    A text whose HTML would be longer than MAX_HTML_CHARACTERS is returned as plain text in `pre`.
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
    """Return the text as HTML that shows it unformatted."""
    return f"<pre>{html.escape(text)}</pre>"


def _attribute_characters(tokens: list[Token]) -> int:
    """Return the total length of all attributes: thousands of links may use one long link definition."""
    children = [child for token in tokens for child in token.children or ()]
    return sum(len(str(value)) for child in children for value in child.attrs.values())
