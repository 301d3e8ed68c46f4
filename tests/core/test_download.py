"""Downloads from a server on loopback: whole files arrive, all else is refused and leaves nothing."""

import hashlib
import os
import socket
import struct
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import pytest

from saliency_core.errors import Cancelled, DownloadError
from saliency_core.models import download
from saliency_core.models.catalogue import Weights
from saliency_core.models.download import BLOCK, SIGNATURE, cache_folder, fetch, present, set_aside

NAME = "tiny.h5"


def hdf5(length=3 * BLOCK + 17, seed=1):
    """Bytes that begin like an HDF5 file of this length (superblock version 0) and go on as noise."""
    head = SIGNATURE + bytes([0, 0, 0, 0, 0, 8, 8, 0]) + struct.pack("<HHI", 4, 16, 0)
    head += struct.pack("<QQQQ", 0, 2**64 - 1, length, 2**64 - 1)
    return head + hashlib.shake_256(bytes([seed])).digest(length - len(head))


BODY = hdf5()
ITEM = Weights(f"https://weights.invalid/{NAME}", hashlib.md5(BODY).hexdigest(), 1)
UNCHECKED = Weights(ITEM.url, "", 1)


@contextmanager
def serving(body=BODY, *, status=200, promise=None, before_body=lambda: None, send_length=True):
    """A server that answers every request with `body`; `promise` is the length it announces."""
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_response(status)
            if send_length:
                self.send_header("Content-Length", str(len(body) if promise is None else promise))
            self.end_headers()
            before_body()
            try:
                self.wfile.write(body)
            except OSError:
                asked.append("gone")

        def log_message(self, *args):
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield SimpleNamespace(url=f"http://127.0.0.1:{server.server_port}/mirror/", asked=asked)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(autouse=True)
def direct(monkeypatch):
    """No proxy and no mirror from the environment of whoever runs the tests."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.delenv(download.MIRROR, raising=False)


def refused(folder, url, item=ITEM, **more):
    """Fetch, expect a DownloadError, and return its problem; the folder must hold nothing new."""
    before = sorted(folder.iterdir())
    with pytest.raises(DownloadError) as caught:
        fetch(item, folder=folder, base_url=url, timeout_s=0.3, **more)
    assert sorted(folder.iterdir()) == before
    assert "\n" not in str(caught.value)
    assert caught.value.hint.endswith(".")
    return caught.value.problem


def test_a_file_arrives_whole_and_is_fetched_once(tmp_path):
    with serving() as server:
        path = fetch(ITEM, folder=tmp_path, base_url=server.url)
        assert path == tmp_path / NAME
        assert path.read_bytes() == BODY
        assert fetch(ITEM, folder=tmp_path, base_url=server.url) == path
        assert server.asked == [f"/mirror/{NAME}"]
    assert [p.name for p in tmp_path.iterdir()] == [NAME]


def test_progress_counts_up_to_the_whole_length(tmp_path, monkeypatch):
    monkeypatch.setattr(download, "REPORTS_A_SECOND", 1e9)
    told = []
    with serving() as server:
        fetch(ITEM, folder=tmp_path, base_url=server.url, on_progress=lambda *now: told.append(now))
    done = [now[0] for now in told]
    assert done == sorted(set(done))
    assert len(done) > 3
    assert {now[1] for now in told} == {len(BODY)}
    assert done[-1] == len(BODY)
    assert all(rate > 0 for _, _, rate in told)


def test_a_length_that_nobody_tells_is_no_obstacle(tmp_path):
    told = []
    with serving(send_length=False) as server:
        path = fetch(ITEM, folder=tmp_path, base_url=server.url, on_progress=lambda *now: told.append(now))
    assert path.read_bytes() == BODY
    assert told[0][1] is None


def test_the_mirror_and_the_cache_come_from_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    assert cache_folder() == tmp_path / "keras" / "models"
    assert not present(ITEM)
    with serving() as server:
        monkeypatch.setenv(download.MIRROR, server.url)
        assert fetch(ITEM) == tmp_path / "keras" / "models" / NAME
    assert present(ITEM)
    monkeypatch.delenv("KERAS_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder() == tmp_path / ".keras" / "models"


def test_a_transfer_cut_off_half_way(tmp_path):
    half = len(BODY) // 2
    with serving(BODY[:half], promise=len(BODY)) as server:
        problem = refused(tmp_path, server.url)
    assert f"broke off after {half:,} of {len(BODY):,} bytes" in problem


@pytest.mark.parametrize("item", [ITEM, UNCHECKED], ids=["checksum", "length"])
def test_a_file_cut_off_where_the_server_tells_no_length(tmp_path, item):
    with serving(BODY[:-1], send_length=False) as server:
        problem = refused(tmp_path, server.url, item)
    assert ("has the wrong checksum" if item.digest else "is cut off") in problem


def test_a_wrong_checksum(tmp_path):
    with serving(hdf5(seed=2)) as server:
        assert "has the wrong checksum; it was thrown away" in refused(tmp_path, server.url)


def test_a_sha256_is_checked_too(tmp_path):
    item = Weights(ITEM.url, hashlib.sha256(BODY).hexdigest(), 1)
    with serving() as server:
        assert fetch(item, folder=tmp_path, base_url=server.url).read_bytes() == BODY
    (tmp_path / NAME).unlink()
    with serving(hdf5(seed=2)) as server:
        assert "has the wrong checksum" in refused(tmp_path, server.url, item)


def test_a_web_page_is_seen_at_its_first_bytes(tmp_path):
    page = b"<!DOCTYPE html><html><body>Please sign in</body></html>" + b" " * 10_000_000
    with serving(page) as server:
        problem = refused(tmp_path, server.url)
    assert problem.startswith("What 127.0.0.1:")
    assert "is a web page instead" in problem


@pytest.mark.parametrize(
    ("body", "words"), [(b"", "is empty"), (b"PK\3\4" * 99, "not a file of the expected kind")]
)
def test_something_else_is_refused(tmp_path, body, words):
    with serving(body) as server:
        assert words in refused(tmp_path, server.url)


def test_an_endless_answer_is_stopped(tmp_path):
    with serving(hdf5(3 * 2**20 + 1)) as server:
        assert "is longer than 3 MB" in refused(tmp_path, server.url)


@pytest.mark.parametrize("status", [404, 403, 500, 503])
def test_a_server_that_says_no(tmp_path, status):
    with serving(status=status) as server:
        problem = refused(tmp_path, server.url)
    assert f"does not give out {NAME}: {status} " in problem


def test_nobody_at_home(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, not listening: connections are refused
        problem = refused(tmp_path, f"http://127.0.0.1:{taken.getsockname()[1]}")
    assert "refuses the connection" in problem


def test_a_name_that_cannot_be_found(tmp_path, monkeypatch):
    def unknown(*args, **more):
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    problem = refused(tmp_path, "")
    assert problem == f"{NAME} could not be downloaded: the host weights.invalid cannot be found."


@pytest.mark.parametrize("answers", [False, True], ids=["no answer", "stops half-way"])
def test_silence_ends_after_the_timeout(tmp_path, answers):
    enough = threading.Event()
    began = time.monotonic()
    if answers:
        with serving(before_body=lambda: enough.wait(5)) as server:
            problem = refused(tmp_path, server.url)
            enough.set()
    else:
        with socket.create_server(("127.0.0.1", 0)) as deaf:  # the kernel connects, nobody reads
            problem = refused(tmp_path, f"http://127.0.0.1:{deaf.getsockname()[1]}")
    assert "did not answer within 0.3 seconds" in problem
    assert time.monotonic() - began < 3


def test_stopping_between_blocks_leaves_nothing(tmp_path):
    calls = iter(range(100))
    with serving() as server, pytest.raises(Cancelled):
        fetch(ITEM, folder=tmp_path, base_url=server.url, cancelled=lambda: next(calls) >= 2)
    assert list(tmp_path.iterdir()) == []


def test_stopping_from_the_progress_report_leaves_nothing(tmp_path):
    def stop(*now):
        raise Cancelled("The computation was stopped.")

    with serving() as server, pytest.raises(Cancelled):
        fetch(ITEM, folder=tmp_path, base_url=server.url, on_progress=stop)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("item", "damaged", "words"),
    [
        (ITEM, BODY[:-1] + b"?", "has the wrong checksum"),
        (ITEM, b"", "is empty"),
        (UNCHECKED, BODY[: BLOCK + 1], f"is cut off: {BLOCK + 1:,} of {len(BODY):,} bytes"),
        (UNCHECKED, BODY[:9], "is cut off: 9 of 64 bytes"),
        (UNCHECKED, b"<html>", "is a web page instead"),
    ],
)
def test_a_damaged_file_is_named_set_aside_and_fetched_again(tmp_path, caplog, item, damaged, words):
    (tmp_path / NAME).write_bytes(damaged)
    with serving() as server:
        path = fetch(item, folder=tmp_path, base_url=server.url)
    assert path.read_bytes() == BODY
    assert (tmp_path / f"{NAME}.damaged").read_bytes() == damaged
    assert str(path) in caplog.text
    assert words in caplog.text


def test_a_whole_file_without_a_checksum_is_used_without_the_network(tmp_path):
    (tmp_path / NAME).write_bytes(BODY)
    assert fetch(UNCHECKED, folder=tmp_path, base_url="http://127.0.0.1:9") == tmp_path / NAME


def test_set_aside_keeps_only_the_latest(tmp_path):
    for content in (b"one", b"two"):
        (tmp_path / NAME).write_bytes(content)
        kept = set_aside(tmp_path / NAME)
    assert kept.read_bytes() == b"two"
    assert list(tmp_path.iterdir()) == [kept]


def test_a_full_disk_is_told_before_the_download(tmp_path, monkeypatch):
    monkeypatch.setattr(download.shutil, "disk_usage", lambda folder: SimpleNamespace(free=5 * 2**20))
    with serving() as server:
        problem = refused(tmp_path, server.url)
    assert f"the disk of {tmp_path} has 5 MB left" in problem


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs Linux's full device")
def test_a_disk_that_fills_up_during_the_download(tmp_path, monkeypatch):
    def full(path, mode, buffering):
        path.touch()
        return open("/dev/full", "wb", buffering=buffering)

    monkeypatch.setattr(download, "open", full, raising=False)
    with serving() as server:
        assert "is on a full disk" in refused(tmp_path, server.url)


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(DownloadError, match="cannot be used"):
        fetch(ITEM, folder=tmp_path / "file" / "models", base_url="http://127.0.0.1:9")


@pytest.mark.parametrize("base", ["file:///etc", "ftp://host/x", "host/x", "http://", "http://host:port/"])
def test_only_the_web_is_asked(tmp_path, base):
    assert "over http or https" in refused(tmp_path, base)


def test_what_a_killed_process_left_is_swept_and_a_live_download_is_not(tmp_path):
    dead, live = (tmp_path / f".{NAME}.{name}.part" for name in ("dead", "live"))
    for part in (dead, live):
        part.write_bytes(b"half")
    os.utime(dead, (0, time.time() - download.STALE_S - 1))
    with serving() as server:
        fetch(ITEM, folder=tmp_path, base_url=server.url)
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted([NAME, live.name])


def test_two_at_once_both_get_the_whole_file(tmp_path):
    """Both are in mid-download at the same time: the server holds each until the other has come."""
    together = threading.Barrier(2, timeout=5)
    found = []
    with serving(before_body=together.wait) as server:

        def one():
            found.append(fetch(ITEM, folder=tmp_path, base_url=server.url).read_bytes())

        threads = [threading.Thread(target=one) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert found == [BODY, BODY]
    assert [p.name for p in tmp_path.iterdir()] == [NAME]


def test_neither_the_catalogue_nor_downloads_load_tensorflow():
    code = "import sys, saliency_core.models.download; print({'tensorflow', 'keras'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
