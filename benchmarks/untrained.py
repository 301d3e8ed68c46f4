"""The workers' tasks for a machine without a network: Keras Applications with random weights from a mirror.

The names of the classes come with a checksum of their own, so the ones made up here bring theirs. Everything
else - the download, the check, the network, the page - is what a visitor gets.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from benchmarks.weights import as_if_trained
from saliency_core.engine import applications
from saliency_core.models.catalogue import LABELS, application
from saliency_core.workers.tasks import TASKS, warm_up

__all__ = ["MODEL", "TASKS", "mirror", "warm_up"]

MODEL = "mobilenet_v2"
SEED = 11
NAMES = json.dumps({str(k): [f"n{k:08d}", f"class_{k}"] for k in range(applications.CLASSES)}).encode()
applications.LABELS = replace(LABELS, digest=hashlib.md5(NAMES, usedforsecurity=False).hexdigest())


class Quiet(SimpleHTTPRequestHandler):
    """Serves a folder and writes no log."""

    def log_message(self, *said: Any) -> None:
        """Say nothing."""


@contextmanager
def mirror(folder: Path) -> Iterator[dict[str, str]]:
    """Serve MODEL with random weights from loopback; yields the environment that leads the app there."""
    served = folder / "served"
    served.mkdir()
    (served / LABELS.file).write_bytes(NAMES)
    write_weights(served / application(MODEL).weights.file)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(served)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield {
            "SALIENCY_WEIGHTS_URL": f"http://127.0.0.1:{server.server_port}",
            "KERAS_HOME": str(folder / "keras"),
            "NO_PROXY": "127.0.0.1",
        }
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def write_weights(path: Path) -> None:
    """Write random weights in the format of the files that Keras serves."""
    import h5py
    from keras.src.legacy.saving.legacy_h5_format import save_weights_to_hdf5_group

    with h5py.File(path, "w") as file:
        network = as_if_trained(applications.build(application(MODEL), "random", SEED), SEED)
        save_weights_to_hdf5_group(file, network)
