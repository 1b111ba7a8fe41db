"""Who may talk to the kiosk, and what its answers allow a browser to do: an ASGI layer round the whole application.

The kiosk has no sign-in: whoever reaches it is the shopper. So a request must name this machine as its Host (a page
had its own name point here, DNS rebinding, does not) and, where a browser states the Origin, it must be ours.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

LOCAL_NAMES = ("127.0.0.1", "localhost", "[::1]")

HEADERS = tuple(
    (name.encode(), value.encode())
    for name, value in {
        "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self';"
        " connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        "cache-control": "no-store",
        "cross-origin-opener-policy": "same-origin",
        "cross-origin-resource-policy": "same-origin",
        "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=()",
        "referrer-policy": "no-referrer",
        "x-content-type-options": "nosniff",
    }.items()
)


def allowed_hosts(host: str, port: int) -> frozenset[str]:
    """Return the Host headers that mean this kiosk: the names of this machine, and the address it was told to use."""
    named = f"[{host}]" if ":" in host else host.lower()
    return frozenset(f"{name}:{port}" for name in (*LOCAL_NAMES, named))


class Guard:
    """Wraps an ASGI application: refuses strangers with 403, and adds HEADERS to every answer."""

    def __init__(self, app: App, hosts: frozenset[str]) -> None:
        """hosts: what a Host header may say, from `allowed_hosts`."""
        self._app = app
        self._hosts = hosts

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve one request."""
        assert scope["type"] == "http"  # the server is started without websockets and without lifespan

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *HEADERS]
            await send(message)

        refusal = self.refusal(scope["headers"])
        if refusal:
            await _refuse(refusal, send_with_headers)
        else:
            await self._app(scope, receive, send_with_headers)

    def refusal(self, headers: list[tuple[bytes, bytes]]) -> str:
        """Return why a request with these headers is refused, "" where it is not."""
        given = {name: [v for n, v in headers if n == name] for name in (b"host", b"origin", b"sec-fetch-site")}
        hosts = [value.decode("latin-1").lower() for value in given[b"host"]]
        if len(hosts) != 1 or hosts[0] not in self._hosts:
            return "this kiosk is not known by that Host"
        if any(origin.decode("latin-1").lower() != f"http://{hosts[0]}" for origin in given[b"origin"]):
            return "the request comes from a page of another Origin"
        if any(site not in (b"same-origin", b"none") for site in given[b"sec-fetch-site"]):
            return "the request comes from a page of another site"
        return ""


async def _refuse(detail: str, send: Send) -> None:
    body = json.dumps({"error": "refused", "detail": detail}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 403, "headers": headers})
    await send({"type": "http.response.body", "body": body})
