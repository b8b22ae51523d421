"""Headless Chromium as a reader of built pages: what it asks the network for, and how wide a page gets."""

import json
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlparse

CHROMIUM = shutil.which("chromium")
PHONE = 390  # CSS pixels

# Chromium calls itself home unless it is told not to, and as root it starts only if it need not give up rights.
QUIET = (
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


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *arguments):
        pass


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve `folder` on a free local port; yields the address."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=folder)) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def visit(site: Path, pages: list[str], scratch: Path, width: int = PHONE) -> tuple[dict[str, int], set[str]]:
    """Open every page in a frame of some width: the width each one needs, and the hosts that were asked."""
    found, hosts = ask(site, MEASURE.replace("PAGES", json.dumps(pages)).replace("WIDTH", str(width)), scratch)
    return found, hosts


def ask(site: Path, question: str, scratch: Path) -> tuple[dict, set[str]]:
    """Serve the HTML page `question` among the site's: the JSON that its script leaves in its body, and all hosts."""
    measure = site / "measure.html"
    measure.write_text(question)
    log = scratch / "network.json"
    try:
        with served(site) as address:
            dom = subprocess.run(
                [CHROMIUM, *QUIET, f"--user-data-dir={scratch / 'profile'}", f"--log-net-log={log}", "--dump-dom",
                 f"{address}/measure.html"],
                capture_output=True, text=True, check=True, timeout=120,
            ).stdout  # fmt: skip
    finally:
        measure.unlink()
    answer = json.loads(dom[dom.index("<body>") + len("<body>") : dom.index("</body>")])
    return answer, {urlparse(url).hostname for url in _requests(log)}


def _requests(log: Path) -> list[str]:
    """The addresses that pages asked for, by a Chromium log; what the browser wants for itself has no origin."""
    recorded = json.loads(log.read_text())
    start = recorded["constants"]["logEventTypes"]["URL_REQUEST_START_JOB"]
    asked = [event["params"] for event in recorded["events"] if event["type"] == start and "params" in event]
    return [request["url"] for request in asked if request.get("initiator", "not an origin") != "not an origin"]
