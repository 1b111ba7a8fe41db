"""The shopper's screen: serves the page, streams screens to it and takes its touches.

Starlette on plain uvicorn, in a thread with an event loop of its own; imported only where a kiosk is started. The
cart's loop never waits for a browser: `handle` swaps one reference, and every stream sends the newest screen when its
browser is ready for it, so a slow one skips screens instead of queueing them.

    GET  /                     the page (cart/web)
    GET  /stream               server-sent events: the newest screen at once, then each change; a comment every second
    POST /tap                  one touch as JSON (cart/wire/kiosk.py): 202, or 4xx or 503 with {"error", "detail"}
    GET  /search?q=WORDS       products by name, PLU or code: [{"id", "name", "price_minor", "sold_by", "picture"}]
    GET  /picture/NAME.svg     the drawn picture of a product, label or group
    GET  /scale                what the scale is: legal hash, Max, Min, e, and how high its digits are drawn
"""

from __future__ import annotations

import asyncio
import logging
import queue
import socket
import threading
from collections.abc import Awaitable, Callable
from importlib import resources
from importlib.resources.abc import Traversable
from typing import TYPE_CHECKING

import uvicorn
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from cart.core.catalog import Catalog
from cart.core.effects import Effect, Show
from cart.core.events import ExitSeen, SourceLost, Tapped
from cart.edge.kiosk_feed import Feed
from cart.edge.kiosk_guard import Guard, allowed_hosts
from cart.faults import Fault
from cart.wire.kiosk import BYTES_MAX, PAY, Tap, brief, find_products, parse_tap
from cart.wire.picture import picture_svg

if TYPE_CHECKING:
    from cart.ports import Clock, Put

log = logging.getLogger("cart.kiosk")

BODY_TIMEOUT_S = 5.0
STOP_TIMEOUT_S = 3.0
STREAMS_MAX = 8
"""Most open streams; the next is answered 503. A cart has one screen, a bench a few."""

CONNECTIONS_MAX = 64
QUERY_MAX = 60

MEDIA_TYPES = {
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "json": "application/json",
    "svg": "image/svg+xml",
}


class Kiosk:
    """The screen as source (touches) and sink (screens).

    Raises Fault KIOSK-PORT-BUSY from `start` when the address cannot be listened on; port 0 takes a free one.
    """

    name = "kiosk"

    def __init__(
        self,
        host: str,
        port: int,
        clock: Clock,
        catalog: Catalog,
        fresh_id: Callable[[], str],
        about: dict[str, object] | None = None,
    ) -> None:
        """fresh_id: gives a new UUIDv7 for each touch, in case it starts a trip or commits a sale; about: the scale."""
        self._about = about or {}
        self.host = host
        self.port = port
        self._clock = clock
        self._catalog = catalog
        self._fresh_id = fresh_id
        self._feed = Feed()
        self._put: Put | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """The page's address."""
        return f"http://{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}/"

    def start(self, put: Put) -> None:
        """Listen, and serve from a thread of its own."""
        assert self._thread is None
        listening = self._listen()
        self._put = put
        self._loop = asyncio.new_event_loop()
        self._feed.use(self._loop)
        self._server = uvicorn.Server(self._config(allowed_hosts(self.host, self.port)))
        self._thread = threading.Thread(target=self._serve, args=(listening,), name=self.name, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End streams and thread; safe to call twice."""
        if self._thread is None or self._server is None:
            return
        self._server.should_exit = True
        self._feed.close()
        self._thread.join(STOP_TIMEOUT_S)
        if self._thread.is_alive():
            log.warning("the kiosk's thread did not end within %s s", STOP_TIMEOUT_S)
        self._thread = None

    def handle(self, effect: Effect) -> None:
        """Show a screen; every other effect is not for the kiosk."""
        if isinstance(effect, Show):
            self._feed.publish(effect.screen)

    def _listen(self) -> socket.socket:
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        try:
            listening = socket.create_server((self.host, self.port), family=family)
        except OSError as error:
            raise Fault("KIOSK-PORT-BUSY", f"{self.host}:{self.port}: {error.strerror or error}") from error
        self.port = listening.getsockname()[1]
        return listening

    def _config(self, hosts: frozenset[str]) -> uvicorn.Config:
        # One process for one browser: no access log, no proxies, h11 because it needs no compiled package.
        return uvicorn.Config(
            Guard(self._application(), hosts),
            http="h11",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            limit_concurrency=CONNECTIONS_MAX,
            timeout_graceful_shutdown=1,
        )

    def _serve(self, listening: socket.socket) -> None:
        assert self._loop is not None
        assert self._server is not None
        assert self._put is not None
        try:
            with listening:
                self._loop.run_until_complete(self._server.serve(sockets=[listening]))
                self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        except Exception as error:
            log.exception("the kiosk ended")
            self._put(SourceLost(self._clock.monotonic_ns(), self.name, str(error)[:200]))
        finally:
            self._feed.close()
            self._loop.close()

    def _application(self) -> Starlette:
        routes = [
            Route("/stream", self._stream, methods=["GET"]),
            Route("/tap", self._tap, methods=["POST"]),
            Route("/search", self._search, methods=["GET"]),
            Route("/picture/{name}.svg", self._picture, methods=["GET"]),
            Route("/scale", self._scale, methods=["GET"]),
        ]
        pages = {path: _page(content, media_type) for path, (content, media_type) in web_files().items()}
        return Starlette(routes=[*routes, *(Route(path, page, methods=["GET"]) for path, page in pages.items())])

    async def _stream(self, request: Request) -> Response:
        if self._feed.streams >= STREAMS_MAX:
            return _refusal(503, "too_many_streams", f"{STREAMS_MAX} screens are connected already")
        return StreamingResponse(self._feed.stream(), media_type="text/event-stream")

    async def _tap(self, request: Request) -> Response:
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            return _refusal(415, "not_json", "a tap is application/json")
        try:
            async with asyncio.timeout(BODY_TIMEOUT_S):
                body = await _body(request)
        except TimeoutError:
            return _refusal(408, "too_slow", "the tap did not arrive in time")
        except ClientDisconnect:
            return Response(status_code=400)
        if body is None:
            return _refusal(413, "too_large", f"a tap has at most {BYTES_MAX} bytes")
        try:
            tap = parse_tap(body)
        except ValueError as error:
            return _refusal(400, "bad_tap", str(error))
        if tap.action == PAY and not self._feed.may_pay(tap.revision):
            return _refusal(409, "screen_changed", "the total or the state is no longer the one that was touched")
        return self._deliver(tap)

    def _deliver(self, tap: Tap) -> Response:
        assert self._put
        t_ns, fresh_id = self._clock.monotonic_ns(), self._fresh_id()
        event: ExitSeen | Tapped
        if tap.action == PAY:
            event = ExitSeen(t_ns, "tap", fresh_id)
        else:
            event = Tapped(t_ns, tap.action, tap.value, tap.prompt, tap.key, tap.revision, fresh_id)
        try:
            self._put(event)
        except queue.Full:
            return _refusal(503, "busy", "the cart has too much to do; try again")
        return JSONResponse({"accepted": True}, status_code=202)

    async def _search(self, request: Request) -> Response:
        found = find_products(self._catalog, request.query_params.get("q", "")[:QUERY_MAX])
        return JSONResponse([brief(product) for product in found])

    async def _scale(self, request: Request) -> Response:
        return JSONResponse(self._about)

    async def _picture(self, request: Request) -> Response:
        svg = picture_svg(request.path_params["name"], self._catalog)
        if svg is None:
            return _refusal(404, "no_picture", "nothing goes by that name")
        return Response(svg, media_type=MEDIA_TYPES["svg"])


def web_files() -> dict[str, tuple[bytes, str]]:
    """Return path -> (content, media type) of every file of the page; index.html is also "/"."""
    files = {f"/{path}": file for path, file in _walk(resources.files("cart") / "web", "")}
    found = {
        path: (file.read_bytes(), MEDIA_TYPES[suffix])
        for path, file in files.items()
        if (suffix := path.rpartition(".")[2]) in MEDIA_TYPES
    }
    return found | {"/": found["/index.html"]}


def _walk(folder: Traversable, prefix: str) -> list[tuple[str, Traversable]]:
    found: list[tuple[str, Traversable]] = []
    for entry in folder.iterdir():
        path = prefix + entry.name
        found += _walk(entry, path + "/") if entry.is_dir() else [(path, entry)]
    return found


def _page(content: bytes, media_type: str) -> Callable[[Request], Awaitable[Response]]:
    async def page(request: Request) -> Response:
        return Response(content, media_type=media_type)

    return page


async def _body(request: Request) -> bytes | None:
    """Return the request's body, None as soon as it is longer than a tap may be."""
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > BYTES_MAX:
            return None
    return body


def _refusal(status: int, error: str, detail: str) -> JSONResponse:
    return JSONResponse({"error": error, "detail": detail}, status_code=status)
