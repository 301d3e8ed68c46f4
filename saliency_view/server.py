"""The edge of the web server: workers start with it, headers and quotas guard it, errors get an id."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from contextlib import asynccontextmanager
from typing import Any

import streamlit as st
from starlette.middleware import Middleware
from streamlit.runtime.pages_manager import PagesManager
from streamlit.runtime.scriptrunner import get_script_run_ctx

log = logging.getLogger("saliency")

MIB = 1 << 20
SWEEP_S = 30.0
UPLOAD_QUOTA = 256 * MIB  # bytes that one session may upload
SESSIONS = 512  # sessions whose uploads are counted
UPLOADS = "/_stcore/upload_file/"
HEADERS = {
    b"x-content-type-options": b"nosniff",
    b"x-frame-options": b"DENY",
    b"referrer-policy": b"same-origin",
    b"permissions-policy": b"camera=(self), microphone=(), geolocation=()",
    b"content-security-policy": b"default-src 'self'; "
    b"script-src 'self' 'unsafe-inline' 'unsafe-eval' blob: data:; style-src 'self' 'unsafe-inline'; "
    b"img-src 'self' data: blob:; font-src 'self' data:; media-src 'self' blob:; "
    b"connect-src 'self' ws: wss: blob: data:; worker-src 'self' blob:; object-src 'none'; "
    b"base-uri 'self'; form-action 'self'; frame-ancestors 'none'",
}
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]


def drawing() -> bool:
    """Tell whether a page is being drawn, as opposed to the server being made."""
    return get_script_run_ctx(suppress_warning=True) is not None


@asynccontextmanager
async def lifespan(app: Any) -> AsyncIterator[None]:
    """Start the workers with the server, and end them with it."""
    from saliency_view import compute

    PagesManager.uses_pages_directory = False  # else a first visit by deep link is "not found"
    compute.table()
    sweeping = asyncio.create_task(_sweep())
    try:
        yield
    finally:
        sweeping.cancel()
        compute.close()


async def _sweep() -> None:
    """Forget, every now and then, what belonged to visitors who have left; be ready for those who stay."""
    from saliency_view import compute

    while True:
        await asyncio.sleep(SWEEP_S)
        await asyncio.to_thread(compute.forget_the_gone)
        compute.stand_by()


def middleware() -> list[Middleware]:
    """Return the layers around every request."""
    return [Middleware(SafeHeaders), Middleware(UploadQuota)]


def on_script_error(problem: Exception) -> bool:
    """Log an unforeseen error under an id and show the id, never the traceback."""
    number = secrets.token_hex(4)
    log.error("error %s", number, exc_info=problem)
    st.error(f"Something went wrong that should not. The log has the details under error {number}.")
    return True


class SafeHeaders:
    """Adds the security headers that the web server does not set itself."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on and add the headers to its answer."""

        async def with_headers(message: Any) -> None:
            if message["type"] == "http.response.start":
                present = {name.lower() for name, _ in message["headers"]}
                missing = [pair for pair in HEADERS.items() if pair[0] not in present]
                message = {**message, "headers": [*message["headers"], *missing]}
            await send(message)

        await self.app(scope, receive, with_headers if scope["type"] == "http" else send)


class UploadQuota:
    """Refuses uploads of a session beyond its quota, which the widgets check in the browser only."""

    def __init__(self, app: Any) -> None:
        self.app = app
        self.used: OrderedDict[str, int] = OrderedDict()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Count an upload, or answer 413."""
        if scope["type"] == "http" and scope["method"] == "PUT" and scope["path"].startswith(UPLOADS):
            session = scope["path"].removeprefix(UPLOADS).split("/", 1)[0][:64]
            length = next((v for k, v in scope["headers"] if k == b"content-length"), b"")
            size = int(length) if length.isdigit() else UPLOAD_QUOTA + 1
            if self.used.get(session, 0) + size > UPLOAD_QUOTA:
                await send({"type": "http.response.start", "status": 413, "headers": []})
                await send({"type": "http.response.body", "body": b"This session has uploaded enough."})
                return
            self.used[session] = self.used.get(session, 0) + size
            self.used.move_to_end(session)
            while len(self.used) > SESSIONS:
                self.used.popitem(last=False)
        await self.app(scope, receive, send)
