"""What a stranger may send, and what comes of it: text stays text, limits hold, other hosts stay outside."""

from __future__ import annotations

import base64
import http.client
import io
import os
import secrets
from urllib.parse import urlsplit

import pytest
from PIL import Image

from saliency_core.grammar import parse
from saliency_view.server import HEADERS, MIB, UPLOAD_QUOTA
from saliency_view.state import View
from tests.browser.conftest import App, Visit

pytestmark = [pytest.mark.browser, pytest.mark.engine]

NAMES = (
    "<img src=x onerror=alert(1)>![x](http:e.com a.png) $x$ :red[hi] www.evil.com.png",
    ":smile: a--b -> c >= d me@evil.com `q` ~~s~~ :material_home: :streamlit: # h.png",
)

MARKUP = "a, img, code, del, strong, em, .katex, [role=img]"


def png(side: int = 40, colour: tuple[int, int, int] = (200, 10, 30)) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (side, side), colour).save(out, "PNG")
    return out.getvalue()


@pytest.mark.parametrize("name", NAMES)
def test_a_hostile_file_name_is_shown_as_the_text_it_is(name: str, visit: Visit) -> None:
    one = visit().open(model="template")
    one.upload(name, png()).wait_for_address(image="own")
    assert f"Image: {name}, SHA-256" in one.facts
    line = one.page.get_by_test_id("stCaptionContainer").filter(has_text="Image:")
    assert line.locator(MARKUP).count() == 0
    assert one.numbers()[2]["image"] == name
    svg = one.download("Figure SVG").decode()
    assert "<img" not in svg
    one.upload(name, b"no picture at all")
    alert = one.page.get_by_test_id("stAlertContentError")
    alert.wait_for()
    assert name in one.text("looks like a text file")
    assert alert.locator(MARKUP).count() == 0


def test_a_bad_file_gets_one_clear_message_and_the_old_picture_stays(visit: Visit) -> None:
    one = visit().open(model="template")
    one.upload("good.png", png()).wait_for_facts("good.png")
    before = one.facts, one.picture()
    jpeg = io.BytesIO()
    Image.effect_noise((300, 300), 80).save(jpeg, "JPEG")
    for name, data in (
        ("notes.png", b"these are notes"),
        ("cut.jpg", jpeg.getvalue()[:4000]),
        ("none.png", b""),
    ):
        one.upload(name, data)
        one.page.get_by_test_id("stAlertContentError").filter(has_text=name).wait_for()
        one.rest()
        assert one.page.get_by_test_id("stAlertContentError").count() == 1
        assert (one.facts, one.picture()) == before
    one.upload("better.png", png(50)).wait_for_facts("better.png")
    assert one.page.get_by_test_id("stAlertContentError").count() == 0


@pytest.mark.parametrize(
    "query",
    [
        {"model": "../../etc/passwd", "target": "class_logit(1)"},
        {"target": "__import__('os').system('id')", "image": "<script>alert(1)</script>"},
        {"look": "![x](http://evil.example/a.png)", "fit": "$x$ :red[hi]", "method": "x" * 3000},
    ],
)
def test_a_hostile_address_is_told_as_text_and_explained_by_default(
    query: dict[str, str], visit: Visit
) -> None:
    one = visit().open(**query, unknown="<img src=x onerror=alert(1)>")
    warnings = one.page.get_by_test_id("stAlertContentWarning")
    assert warnings.count() == len(query) - (query.get("target") == "class_logit(1)")
    assert warnings.locator(MARKUP).count() == 0
    assert one.sentence.is_visible()
    default = vars(View().settled())
    if query.get("target") == "class_logit(1)":
        default["target"] = query["target"]
    assert one.address() == default


def test_pictures_leave_no_trace_on_disk_and_no_request_but_the_upload(visit: Visit, app: App) -> None:
    one = visit().open(model="template")
    one.upload("mine.png", png(41)).wait_for_facts("mine.png")
    assert len(one.uploads) == 1
    open_files = {
        os.readlink(f"/proc/{app.process.pid}/fd/{fd}") for fd in os.listdir(f"/proc/{app.process.pid}/fd")
    }
    assert not [name for name in open_files if name.endswith(".png") or "mine" in name]
    assert "mine.png" not in app.log


# The server itself, asked without a browser.


def answer(app: App, method: str, path: str, headers: dict[str, str]) -> http.client.HTTPResponse:
    """Send a request whose headers are exactly these."""
    connection = http.client.HTTPConnection(app.host, timeout=20)
    connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
    for name, value in {"Host": app.host, **headers}.items():
        connection.putheader(name, value)
    connection.endheaders()
    return connection.getresponse()


def upgrade(app: App, **headers: str) -> int:
    """Ask for the websocket of a session; return the status."""
    key = base64.b64encode(secrets.token_bytes(16)).decode()
    wanted = {
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": key,
    }
    return answer(app, "GET", "/_stcore/stream", {**wanted, **headers}).status


@pytest.mark.parametrize(
    "path", ["/", "/reference", "/_stcore/health", "/static/nothing.js", "/media/nothing"]
)
def test_every_answer_carries_the_headers(path: str, app: App) -> None:
    got = {name.lower(): value for name, value in answer(app, "GET", path, {}).getheaders()}
    for name, value in HEADERS.items():
        assert got[name.decode()] == value.decode()


def test_only_this_machine_opens_a_session(app: App) -> None:
    port = urlsplit(app.url).port
    assert upgrade(app, Host=f"127.0.0.1:{port}", Origin=f"http://127.0.0.1:{port}") == 101
    assert upgrade(app, Host=f"localhost:{port}", Origin=f"http://localhost:{port}") == 101
    rebound = f"evil.example:{port}"
    assert upgrade(app, Host=rebound, Origin=f"http://{rebound}") >= 400
    assert upgrade(app, Host=rebound) >= 400
    assert upgrade(app, Origin="http://evil.example") == 403


def test_the_server_listens_on_this_machine_only(app: App) -> None:
    port = f"{urlsplit(app.url).port:04X}"
    rows = [line.split() for kind in ("tcp", "tcp6") for line in open(f"/proc/net/{kind}").readlines()[1:]]  # noqa: SIM115
    listening = {
        local.split(":")[0] for _, local, _, state, *_ in rows if state == "0A" and local.endswith(f":{port}")
    }
    assert listening == {"0100007F"}


def put(app: App, session: str, size: int) -> int:
    path = f"/_stcore/upload_file/{session}/{secrets.token_hex(8)}"
    return answer(app, "PUT", path, {"Content-Length": str(size)}).status


def test_a_session_cannot_upload_without_end(visit: Visit, app: App) -> None:
    one = visit().open(model="template")
    one.upload("mine.png", png()).wait_for_facts("mine.png")
    session = one.uploads[0].split("/")[-2]
    share = 60 * MIB
    for _ in range((UPLOAD_QUOTA - MIB) // share):
        assert put(app, session, share) in (400, 403)  # counted, then refused for want of a token
    assert put(app, session, share) == 413
    assert put(app, secrets.token_hex(16), share) in (400, 403)  # others may


def test_a_file_beyond_the_limit_is_refused_before_it_is_read(app: App) -> None:
    assert put(app, secrets.token_hex(16), 300 * MIB) == 413


def test_no_address_reads_the_disk(app: App) -> None:
    for path in ("/app/static/../../README.md", "/static/..%2f..%2fREADME.md", "/media/../../../etc/passwd"):
        body = answer(app, "GET", path, {}).read()
        assert b"root:" not in body
        assert b"Saliency Lab\n" not in body


def test_a_look_of_the_address_is_the_look_on_screen(visit: Visit) -> None:
    spelled = "look(sign='magnitude', clip=90, palette='viridis', opacity=0.5)"
    one = visit().open(model="template", look=spelled)
    assert one.address()["look"] == parse("look", spelled).spelling
    assert one.page.get_by_role("radio", name="Viridis").is_checked()
