"""Headless Chromium opens built pages and reports the hosts that they request and the width that they need."""

import json
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from html import unescape
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

CHROMIUM = shutil.which("chromium")
PHONE = 390  # CSS pixels

# Without these flags Chromium contacts its own services. As root it starts only with --no-sandbox.
FLAGS = (
    "--headless", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--disable-default-apps", "--no-first-run", "--disable-extensions",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1", "--virtual-time-budget=20000",
    *(["--no-sandbox"] if os.geteuid() == 0 else []),
)  # fmt: skip

MEASURE = """<!doctype html><title>measuring</title><body><script>
(async () => {
  const widths = {};
  for (const page of PAGES) {
    const frame = document.createElement("iframe");
    frame.style = "width: WIDTHpx; height: 844px; border: 0";
    const loaded = new Promise((done) => { frame.onload = done; });
    frame.src = page;
    document.body.append(frame);
    await loaded;
    widths[page] = frame.contentDocument.documentElement.scrollWidth;
    frame.remove();
  }
  document.body.textContent = JSON.stringify(widths);
})();
</script>"""


class _SilentHandler(SimpleHTTPRequestHandler):
    def log_message(self, *arguments):
        pass


@contextmanager
def serve(folder: Path) -> Iterator[str]:
    """Serve `folder` on a free local port; yields the address."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_SilentHandler, directory=folder)) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def measure_widths(site: Path, pages: list[str], scratch: Path, width: int = PHONE) -> tuple[dict[str, int], set[str]]:
    """Open every page in a frame of `width` pixels; returns the width that each page needs, and all requested hosts."""
    return run_script(site, MEASURE.replace("PAGES", json.dumps(pages)).replace("WIDTH", str(width)), scratch)


def run_script(site: Path, page: str, scratch: Path, timeout: float = 120) -> tuple[Any, set[str]]:
    """Open an HTML page as a part of the site; returns the JSON that its script leaves in its body, and all hosts.

    `scratch` is a folder for the browser's profile and log.
    """
    measure = site / "measure.html"
    measure.write_text(page)
    log = scratch / "network.json"
    try:
        with serve(site) as address:
            dom = subprocess.run(
                [CHROMIUM, *FLAGS, f"--user-data-dir={scratch / 'profile'}", f"--log-net-log={log}", "--dump-dom",
                 f"{address}/measure.html"],
                capture_output=True, text=True, check=True, timeout=timeout,
            ).stdout  # fmt: skip
    finally:
        measure.unlink()
    result = json.loads(unescape(dom[dom.index("<body>") + len("<body>") : dom.index("</body>")]))
    return result, {urlparse(url).hostname for url in _read_requests(log)}


def _read_requests(log: Path) -> list[str]:
    """The addresses that pages requested, from Chromium's log. The browser's own requests have no origin."""
    content = json.loads(log.read_text())
    start = content["constants"]["logEventTypes"]["URL_REQUEST_START_JOB"]
    requests = [event["params"] for event in content["events"] if event["type"] == start and "params" in event]
    return [request["url"] for request in requests if request.get("initiator", "not an origin") != "not an origin"]
