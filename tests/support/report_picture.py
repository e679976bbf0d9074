"""The report's picture in the README: `python tests/support/report_picture.py` has Chromium take it anew."""

from __future__ import annotations

import contextlib
import io
import tempfile
from pathlib import Path

from browser import browser
from PIL import Image

from analyzer.cli import app

ROOT = Path(__file__).parents[2]
PICTURE = Path(__file__).parents[1] / "baselines" / "report.png"
CAPTURE = "captures/crowd/capture.pcap"  # as it is called from the repository: the page says so
COLOURS = 64  # a page has few, and the file is a fifth as large


def main() -> None:
    """Write the page, look at its beginning, keep what is seen."""
    with contextlib.chdir(ROOT), tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "incident.html"
        app(["report", CAPTURE, "--utc", "-o", str(page)], standalone_mode=False)
        with browser(width=1100, height=1000) as chromium:
            chromium.open(page)
            octets = chromium.driver.get_screenshot_as_png()
    Image.open(io.BytesIO(octets)).convert("RGB").quantize(COLOURS).save(PICTURE, optimize=True)


if __name__ == "__main__":
    main()
