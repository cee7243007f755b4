"""Pages of the repository's top level in the site, and links to files that are no pages as plain text."""

import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[2]
TOP = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "CONTRIBUTING.md",
    "CHANGELOG.md": "CHANGELOG.md",
    "SECURITY.md": "SECURITY.md",
}
LINK = re.compile(r"(?<!!)\[([^\]]+)\]\(([^)#:\s]+)(#[^)]*)?\)")


def on_files(files: Files, config: Any) -> Files:
    """Add the pages of the top level."""
    for source, target in TOP.items():
        files.append(File.generated(config, target, content=(ROOT / source).read_text(encoding="utf-8")))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    """Point links at pages of the site; what is a file of the repository, and no page, keeps its text alone."""
    name = next((source for source, target in TOP.items() if target == page.file.src_uri), None)
    folder = ROOT if name else (ROOT / "docs" / page.file.src_uri).parent

    def changed(match: re.Match[str]) -> str:
        text, target, anchor = match[1], (folder / match[2]).resolve(), match[3] or ""
        place = target.relative_to(ROOT).as_posix() if target.is_relative_to(ROOT) else ""
        found = TOP.get(place) or (place.removeprefix("docs/") if place.startswith("docs/") else None)
        if found is None or files.get_file_from_path(found) is None:
            return text
        up = "../" * page.file.src_uri.count("/")
        return f"[{text}]({up}{found}{anchor})"

    return LINK.sub(changed, markdown)
