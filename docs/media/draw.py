"""Draws the diagrams of the pages for their site: `make diagrams`, with Chromium and mermaid.

Each Mermaid block of `docs/` becomes a picture named by a digest of its text (`.ci/docs/hooks.py` shows it), so the
site needs no script that draws, and one that has changed is drawn anew. What no page has any more is deleted.
"""

import hashlib
import re
import shutil
import sys
from pathlib import Path

DOCS = Path(__file__).parents[1]
FOLDER = DOCS / "media/diagrams"
DIAGRAM = re.compile(r"^```mermaid\n(.*?)^```$", re.DOTALL | re.MULTILINE)
DRAW = """async text => {
    mermaid.initialize({startOnLoad: false, theme: "neutral", htmlLabels: false, flowchart: {htmlLabels: false}});
    const holder = document.createElement("div");
    holder.innerHTML = (await mermaid.render("diagram", text)).svg;
    const svg = holder.querySelector("svg"), box = svg.viewBox.baseVal;
    svg.setAttribute("width", Math.ceil(box.width));
    svg.setAttribute("height", Math.ceil(box.height));
    svg.setAttribute("style", "background: #fff");
    return new XMLSerializer().serializeToString(svg);
}"""


def main(mermaid: Path) -> None:
    """Draw what has no picture yet."""
    from playwright.sync_api import sync_playwright

    texts = [text for page in sorted(DOCS.rglob("*.md")) for text in DIAGRAM.findall(page.read_text(encoding="utf-8"))]
    wanted = {FOLDER / f"{hashlib.blake2b(text.encode(), digest_size=8).hexdigest()}.svg": text for text in texts}
    FOLDER.mkdir(exist_ok=True)
    for path in set(FOLDER.glob("*.svg")) - wanted.keys():
        path.unlink()
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    with sync_playwright() as tools:
        browser = tools.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page()
        page.set_content("<!doctype html><body></body>")
        page.add_script_tag(path=mermaid)
        for path, text in wanted.items():
            if not path.exists():
                path.write_text(page.evaluate(DRAW, text) + "\n", encoding="utf-8")
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
