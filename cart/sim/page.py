"""The bench page: buttons that let a person act in the simulated world. Plain HTML and one small script."""

from __future__ import annotations

import html
import json
import logging
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import resources
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

if TYPE_CHECKING:
    from cart.sim.world import World

log = logging.getLogger("cart.world.page")

BODY_BYTES_MAX = 4_096
CSP = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; form-action 'none'"
)


class BenchPage:
    """Serves the page on 127.0.0.1, on threads of its own.

    GET /        the page
    GET /state   what is in the cart, the lights, the devices, as JSON
    POST /act    one act as JSON: 200 with its answer, 400 where it cannot be done
    """

    def __init__(self, world: World, port: int, screen_url: str) -> None:
        """Listen; OSError where the port is taken."""
        hosts = {f"127.0.0.1:{port}", f"localhost:{port}"}
        page = _page(world, screen_url).encode()

        class Handler(_Handler):
            pass

        Handler.world, Handler.hosts, Handler.page = world, hosts, page
        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, name="bench-page", daemon=True).start()

    def stop(self) -> None:
        """End the server."""
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    """One request; world, hosts and page are set on a subclass."""

    world: World
    hosts: set[str]
    page: bytes

    def do_GET(self) -> None:
        if not self._is_ours():
            return
        if self.path == "/":
            self._answer(200, self.page, "text/html; charset=utf-8")
        elif self.path == "/state":
            self._answer_json(200, self._state())
        else:
            self._answer_json(404, {"error": "no such page"})

    def do_POST(self) -> None:
        if not self._is_ours():
            return
        length = int(self.headers.get("content-length") or 0)
        if self.path != "/act" or not 0 < length <= BODY_BYTES_MAX:
            self._answer_json(404, {"error": "POST /act takes one small JSON object"})
            return
        body = self.rfile.read(length)
        try:
            wanted: Any = json.loads(body)
        except ValueError:
            wanted = {key: values[0] for key, values in parse_qs(body.decode("utf-8", "replace")).items()}
        answer = self.world.act(wanted) if isinstance(wanted, dict) else {"error": "not an object"}
        self._answer_json(400 if "error" in answer else 200, answer)

    def log_message(self, format: str, *args: Any) -> None:
        log.debug(format, *args)

    def _is_ours(self) -> bool:
        """Refuse pages of other hosts: whoever can act here can put things into the cart."""
        origin = (self.headers.get("origin") or "").removeprefix("http://")
        if self.headers.get("host") in self.hosts and (not origin or origin in self.hosts):
            return True
        self._answer_json(403, {"error": "only this machine may play"})
        return False

    def _state(self) -> dict[str, Any]:
        hands = self.world.hands
        pieces = [f"{piece.product.name} ({piece.mass_mg // 1_000} g)" for piece in hands.truth]
        devices = {"scale": hands.scale, "camera": hands.said["camera"]["camera"], **hands.said["network"]}
        return {"cart": pieces, "panel": self.world.panel, "devices": devices}

    def _answer_json(self, status: int, value: dict[str, Any]) -> None:
        self._answer(status, json.dumps(value).encode(), "application/json")

    def _answer(self, status: int, body: bytes, kind: str) -> None:
        self.send_response(status)
        for name, value in (
            ("content-type", kind),
            ("content-length", str(len(body))),
            ("content-security-policy", CSP),
            ("cache-control", "no-store"),
            ("x-content-type-options", "nosniff"),
        ):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


def _page(world: World, screen_url: str) -> str:
    """Return the page with the store's products in its list."""
    products = sorted(world.hands.shelf.catalog.products, key=lambda product: product.name)
    options = "\n".join(f'<option value="{html.escape(p.id)}">{html.escape(p.name)}</option>' for p in products)
    text = (resources.files("cart.sim") / "data" / "bench_page.html").read_text(encoding="utf-8")
    return text.replace("{{products}}", options).replace("{{screen}}", html.escape(screen_url or "/"))
