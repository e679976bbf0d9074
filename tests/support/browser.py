"""A real browser without a window, and what it asked for and complained of."""

from __future__ import annotations

import base64
import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service


class Browser:
    """Chromium with one page open."""

    def __init__(self, driver: Chrome) -> None:
        self.driver = driver

    def open(self, path: Path) -> None:
        self.driver.get(path.as_uri())

    def run(self, script: str) -> Any:
        """What a script returns."""
        return self.driver.execute_script(script)

    def resize(self, width: int, height: int = 900) -> None:
        """As on a screen of this size; a window of its own cannot be as narrow as a phone."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self._command("Emulation.setDeviceMetricsOverride", size)

    def prefer(self, scheme: str) -> None:
        """As for a reader who prefers `light` or `dark`."""
        self._command("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]})

    def printed(self, width_in: float, height_in: float) -> bytes:
        """The page as PDF, on paper of this size."""
        paper = {"paperWidth": width_in, "paperHeight": height_in, "printBackground": True, "preferCSSPageSize": False}
        return base64.b64decode(self._command("Page.printToPDF", paper)["data"])

    def picture(self) -> bytes:
        """The whole page, as PNG."""
        made = self._command("Page.captureScreenshot", {"captureBeyondViewport": True})
        return base64.b64decode(made["data"])

    def _command(self, name: str, arguments: dict[str, Any]) -> Any:
        return self.driver.execute_cdp_cmd(name, arguments)

    def asked_for(self) -> list[str]:
        """The address of everything that was asked for since this was last called."""
        messages = [json.loads(entry["message"])["message"] for entry in self._log("performance")]
        sent = (message for message in messages if message["method"] == "Network.requestWillBeSent")
        return [message["params"]["request"]["url"] for message in sent]

    def complaints(self) -> list[str]:
        """What stands on its console."""
        return [entry["message"] for entry in self._log("browser")]

    def _log(self, kind: str) -> list[dict[str, Any]]:
        log: list[dict[str, Any]] = self.driver.get_log(kind)  # type: ignore[no-untyped-call]
        return log


@contextlib.contextmanager
def browser(*, width: int = 1200, height: int = 900) -> Iterator[Browser]:
    options = ChromeOptions()
    options.binary_location = "/usr/bin/chromium"
    for argument in (
        "--headless=new",
        "--no-sandbox",  # as root there is none
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--host-resolver-rules=MAP * ~NOTFOUND",
        f"--window-size={width},{height}",
    ):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
    driver = Chrome(options, Service("/usr/bin/chromedriver"))
    driver.set_page_load_timeout(60)
    try:
        yield Browser(driver)
    finally:
        driver.quit()
