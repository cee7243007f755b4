"""The site of the pages: the top level too, links that lead somewhere, nothing inline, and all of it in one file.

The service serves the site under a policy that allows no inline script (`taskmanager/api/guide.py`), which the theme
has on each page: they become files. Diagrams are pictures (`make diagrams`), as their renderer would be loaded from
elsewhere; one without a picture is shown as text.
"""

import hashlib
import re
import zipfile
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[2]
DIAGRAMS = ROOT / "docs/media/diagrams"
TOP = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "CONTRIBUTING.md",
    "CHANGELOG.md": "CHANGELOG.md",
    "SECURITY.md": "SECURITY.md",
}
LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)#:\s]+)(#[^)]*)?\)")
DIAGRAM = re.compile(r"^```mermaid\n(.*?)^```$", re.DOTALL | re.MULTILINE)
BADGE = re.compile(r"\[?!\[[^\]]*\]\(https://img\.shields\.io[^)]*\)(?:\]\([^)]*\))?")  # a picture of another server
SCRIPT = re.compile(r"<script>(.*?)</script>", re.DOTALL)
STYLE = "assets/stylesheets/readable.css"  # in `extra_css` of mkdocs.yml
# Of the theme, but of no use here: maps for its authors, stemmers of other languages, pages for web servers.
SPARE = re.compile(r".*\.map|assets/javascripts/lunr/.*|sitemap.*|404\.html")
ARCHIVE = ROOT / "taskmanager/api/guide.zip"


def on_files(files: Files, config: Any) -> Files:
    """Add the pages of the top level, and our style."""
    style = (Path(__file__).parent / "readable.css").read_text(encoding="utf-8")
    files.append(File.generated(config, STYLE, content=style))
    for source, target in TOP.items():
        files.append(File.generated(config, target, content=(ROOT / source).read_text(encoding="utf-8")))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    """Point links at pages of the site; what is a file of the repository, and no page, keeps its text alone."""
    name = next((source for source, target in TOP.items() if target == page.file.src_uri), None)
    folder = ROOT if name else (ROOT / "docs" / page.file.src_uri).parent
    up = "../" * page.file.src_uri.count("/")

    def changed(match: re.Match[str]) -> str:
        mark, text, target, anchor = match[1], match[2], (folder / match[3]).resolve(), match[4] or ""
        place = target.relative_to(ROOT).as_posix() if target.is_relative_to(ROOT) else ""
        found = TOP.get(place) or (place.removeprefix("docs/") if place.startswith("docs/") else None)
        if found is None or files.get_file_from_path(found) is None:
            return text
        return f"{mark}[{text}]({up}{found}{anchor})"

    def drawn(match: re.Match[str]) -> str:
        picture = DIAGRAMS / f"{digest_of(match[1])}.svg"
        text = f'??? note "The diagram as text"\n\n    ```text\n{indented(match[1])}    ```\n'
        return (
            f"![A diagram; its text is below]({up}media/diagrams/{picture.name})\n\n{text}"
            if picture.exists()
            else text
        )

    return DIAGRAM.sub(drawn, LINK.sub(changed, BADGE.sub("", markdown)))


def on_page_content(html: str, page: Any, config: Any, files: Files) -> str:
    """Let keys scroll a table that is wider than the screen; its empty corner is the header of nothing."""
    html = re.sub(r"<th([^>]*)></th>", r"<td\1></td>", html)
    return html.replace("<table>", '<div class="tm-table" tabindex="0"><table>').replace("</table>", "</table></div>")


def on_post_page(output: str, page: Any, config: Any) -> str:
    """Move inline scripts to files, in their order: each is loaded where it stood; name the dialog of the search."""
    up = "../" * page.url.count("/")

    def moved(match: re.Match[str]) -> str:
        place = f"assets/javascripts/page.{digest_of(match[1])}.js"
        target = Path(config.site_dir) / place
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(match[1], encoding="utf-8")
        return f'<script src="{up}{place}"></script>'

    named = output.replace('role="dialog">', 'role="dialog" aria-label="Search">', 1)
    return SCRIPT.sub(moved, named)


def on_post_build(config: Any) -> None:
    """Put the site into one file, which is the same for the same pages; a service that runs never sees half of it."""
    site, made = Path(config.site_dir), Path(config.site_dir).with_suffix(".zip")
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for path in sorted(path for path in site.rglob("*") if path.is_file()):
            name = path.relative_to(site).as_posix()
            if not SPARE.fullmatch(name):
                archive.writestr(zipfile.ZipInfo(name), path.read_bytes(), zipfile.ZIP_DEFLATED, 9)
    made.replace(ARCHIVE)


def digest_of(text: str) -> str:
    """Return the name of a text in the site."""
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def indented(text: str) -> str:
    """Return the lines of a text, each four characters to the right."""
    return "".join(f"    {line}\n" for line in text.splitlines())
