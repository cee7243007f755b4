"""Makes the pictures of the README with a running service (`make run`): `make pictures`.

`demo.svg` is a recording of `make demo`: each line appears when it was printed. `docs.png` is the page at `/docs`, by
the Chromium of the system.
"""

import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from html import escape
from pathlib import Path

from config.settings import load
from workers.local_url import local_url

HERE = Path(__file__).parent
COLUMNS, ROW, TOP = 104, 20, 56
COMMAND, TYPING_SECONDS = "make demo", 1.0
_STYLE = """
    text { font: 14px ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; fill: #d7dde4; white-space: pre; }
    .prompt { fill: #7ee787; } .mail { fill: #a5d6ff; }
    .line { opacity: 0; animation: appear 0.01s linear forwards; }
    @keyframes appear { to { opacity: 1; } }
    @media (prefers-reduced-motion: reduce) { .line { opacity: 1; animation: none; } }
"""


def recorded() -> Iterator[tuple[float, str]]:
    """Yield each line that the demonstration prints, with the seconds since it began."""
    began = time.monotonic()
    command = [sys.executable, "-u", "-m", "taskmanager", "demo"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as demo:  # noqa: S603 - our own command
        assert demo.stdout
        for line in demo.stdout:
            yield time.monotonic() - began, shown(line.rstrip())
    if demo.returncode:
        sys.exit("The demonstration failed: is the service running (make run)?")


def shown(line: str) -> str:
    """Return the line as far as the picture is wide, without one-time tokens, folders and ports of this machine."""
    line = re.sub(r"(?<=127\.0\.0\.1:)\d+", "8000", line)
    line = re.sub(r"t[cm]_[\w-]+", lambda found: found[0][:6] + "…", line)
    line = re.sub(r"\(/.*/(mail/)", r"(.data/\1", line)
    return line if len(line) <= COLUMNS else line[: COLUMNS - 1] + "…"


def picture(lines: list[tuple[float, str]]) -> str:
    """Return the recording as an animated SVG, which shows all of it where motion is not wanted."""
    rows = [(0.0, "prompt", f"$ {COMMAND}")]
    mail = False
    for at, line in lines:
        mail = mail or line.startswith("The mail")
        rows.append((TYPING_SECONDS + at, "mail" if mail else "", line))
    height = TOP + ROW * len(rows) + 12
    texts = "\n".join(
        f'  <text class="line {kind}" x="20" y="{TOP + ROW * row}"'
        f' style="animation-delay:{at:.2f}s">{escape(text)}</text>'
        for row, (at, kind, text) in enumerate(rows)
        if text
    )
    dots = "".join(
        f'<circle cx="{x}" cy="20" r="6" fill="{c}"/>' for x, c in ((20, "#ff5f57"), (40, "#febc2e"), (60, "#28c840"))
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 920 {height}" role="img"'
        f' aria-label="A recording of make demo"><style>{_STYLE}</style>'
        f'<rect width="920" height="{height}" rx="10" fill="#161b22"/>{dots}\n{texts}\n</svg>\n'
    )


def photograph(url: str) -> None:
    """Write a picture of the page at `/docs`."""
    from playwright.sync_api import sync_playwright

    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    with sync_playwright() as tools:
        browser = tools.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.goto(f"{url}/docs")
        page.wait_for_selector(".opblock-tag")
        page.screenshot(path=HERE / "docs.png")
        browser.close()


def main() -> None:
    """Make all pictures."""
    (HERE / "demo.svg").write_text(picture(list(recorded())))
    photograph(local_url(load()))


if __name__ == "__main__":
    main()
