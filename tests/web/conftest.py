"""A real Chromium on a real kiosk, fed with hand-made screens."""

import queue
import shutil

import pytest

from cart.clock import SystemClock
from cart.core.effects import Show
from cart.edge.catalog_file import load_catalog

# No network of its own: the browser must not look for updates or send anything while the tests run.
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-sync",
    "--no-first-run",
)
TIMEOUT_MS = 15_000


@pytest.fixture(scope="session")
def chromium():
    """Return a started browser; skips where the system has none."""
    binary = shutil.which("chromium") or shutil.which("chromium-browser")
    if binary is None:
        pytest.skip("there is no chromium on this machine: apt install chromium")
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed (extra dev)")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=binary, args=list(FLAGS))
        yield browser
        browser.close()


class Cart:
    """A kiosk and the events that it put; `show` gives a screen a revision of its own."""

    def __init__(self):
        self.events = queue.Queue()
        self.start(port=0)

    def start(self, port):
        from cart.edge.kiosk import Kiosk

        self.kiosk = Kiosk("127.0.0.1", port, SystemClock(), load_catalog(""), lambda: "fresh")
        self.kiosk.start(self.events.put_nowait)

    def show(self, screen):
        self.kiosk.handle(Show(screen))

    def next_event(self):
        return self.events.get(timeout=TIMEOUT_MS / 1_000)


@pytest.fixture
def cart():
    """Return a started Cart."""
    pytest.importorskip("uvicorn", reason="uvicorn is not installed (extra web)")
    cart = Cart()
    yield cart
    cart.kiosk.stop()


@pytest.fixture
def page(chromium, cart):
    """Return the shopper's page on the smallest screen; any error on its console fails the test."""
    context = chromium.new_context(viewport={"width": 800, "height": 480}, reduced_motion="reduce")
    context.set_default_timeout(TIMEOUT_MS)
    page = context.new_page()
    errors = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: message.type == "error" and errors.append(message.text))
    page.goto(cart.kiosk.url)
    yield page
    context.close()
    # A line that is cut is what some tests are about; everything else is a fault of the page.
    assert [error for error in errors if "ERR_CONNECTION" not in error and "ERR_INCOMPLETE" not in error] == []
