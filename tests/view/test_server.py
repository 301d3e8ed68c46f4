"""The edge of the server: headers on every answer, a quota on uploads, an id on every unforeseen error."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import MutableMapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from saliency_view import server
from saliency_view.server import HEADERS, MIB, UPLOADS, SafeHeaders, UploadQuota

Message = MutableMapping[str, Any]


def asks(app: Any, **scope: Any) -> list[Message]:
    """Send one request through an ASGI app and return what it answers."""
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    request = app({"type": "http", "method": "GET", "path": "/", "headers": [], **scope}, receive, send)
    with ThreadPoolExecutor(1) as own:  # a browser test in this process may have a loop of its own
        own.submit(asyncio.run, request).result()
    return sent


async def page(scope: Message, receive: Any, send: Any) -> None:
    """Answer everything with one page that has a frame policy of its own."""
    await send(
        {"type": "http.response.start", "status": 200, "headers": [(b"X-Frame-Options", b"SAMEORIGIN")]}
    )
    await send({"type": "http.response.body", "body": b"hello"})


def test_every_answer_gets_the_headers_it_lacks_and_keeps_its_own() -> None:
    start, body = asks(SafeHeaders(page))
    given = {name.lower(): value for name, value in start["headers"]}
    assert given == {**HEADERS, b"x-frame-options": b"SAMEORIGIN"}
    assert body["body"] == b"hello"


def test_a_websocket_passes_untouched() -> None:
    seen: list[Any] = []

    async def socket(scope: Message, receive: Any, send: Any) -> None:
        seen.append(send)
        await send({"type": "websocket.accept", "headers": []})

    assert asks(SafeHeaders(socket), type="websocket") == [{"type": "websocket.accept", "headers": []}]


def test_the_policy_lets_nothing_leave_for_another_host() -> None:
    policy = HEADERS[b"content-security-policy"].decode()
    rules = {rule.split()[0]: rule.split()[1:] for rule in policy.split("; ")}
    assert rules["default-src"] == ["'self'"]
    assert rules["object-src"] == rules["frame-ancestors"] == ["'none'"]
    for name, sources in rules.items():
        hosts = [one for one in sources if "." in one or "//" in one or one == "*"]
        assert hosts == [], f"{name} allows {hosts}"


def put(quota: UploadQuota, session: str, size: int | None, file: str = "f") -> int:
    """Upload so many bytes to a session, by the header; return the status."""
    headers = [] if size is None else [(b"content-length", str(size).encode())]
    start, *_ = asks(quota, method="PUT", path=f"{UPLOADS}{session}/{file}", headers=headers)
    return int(start["status"])


def test_a_session_uploads_up_to_its_quota_and_others_are_not_touched() -> None:
    quota = UploadQuota(page)
    sizes = [60 * MIB] * 4 + [16 * MIB]
    assert sum(sizes) == server.UPLOAD_QUOTA
    assert [put(quota, "ann", size, f"f{n}") for n, size in enumerate(sizes)] == [200] * 5
    assert put(quota, "ann", 1) == 413
    assert put(quota, "bob", 1) == 200


def test_an_upload_that_does_not_tell_its_length_is_refused() -> None:
    quota = UploadQuota(page)
    assert put(quota, "ann", None) == 413
    start, *_ = asks(quota, method="PUT", path=f"{UPLOADS}ann/f", headers=[(b"content-length", b"-5")])
    assert start["status"] == 413
    assert put(quota, "ann", 10) == 200  # what was refused does not count


def test_only_uploads_are_counted() -> None:
    quota = UploadQuota(page)
    large = [(b"content-length", str(server.UPLOAD_QUOTA + 1).encode())]
    assert asks(quota, method="GET", path=f"{UPLOADS}ann/f", headers=large)[0]["status"] == 200
    assert asks(quota, method="PUT", path="/elsewhere", headers=large)[0]["status"] == 200
    assert not quota.used


def test_the_count_of_sessions_is_bounded() -> None:
    quota = UploadQuota(page)
    for number in range(server.SESSIONS + 10):
        assert put(quota, f"session {number}", 1) == 200
    assert len(quota.used) == server.SESSIONS
    assert "session 0" not in quota.used


def test_an_unforeseen_error_shows_an_id_that_is_in_the_log(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    shown: list[str] = []
    monkeypatch.setattr("streamlit.error", shown.append)
    with caplog.at_level(logging.ERROR, "saliency"):
        assert server.on_script_error(ZeroDivisionError("/secret/path"))
    assert "/secret" not in shown[0]
    number = re.search(r"error ([0-9a-f]{8})", shown[0])
    assert number is not None
    assert number.group(1) in caplog.text
    assert "ZeroDivisionError: /secret/path" in caplog.text


def test_no_page_is_drawn_while_the_server_is_made() -> None:
    assert not server.drawing()
