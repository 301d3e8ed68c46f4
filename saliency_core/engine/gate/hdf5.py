"""An HDF5 file, walked link by link: nothing outside the file, no false sizes, finite weights."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from saliency_core.engine.gate import heaps
from saliency_core.engine.gate.refusal import WRITE_ANEW, Limits, Stop, shown, size

FILTERS = (1, 2, 3, 4)  # deflate, shuffle, checksum, szip: what HDF5 itself brings; others are plug-ins
BLOCK = 2**22  # numbers looked at together
WHOLE = (
    "Save the whole model with model.save('name.keras'), or build the network in Python, load the weights "
    "into it and open that: open_model(the_live_model)."
)


def check(path: Path, part: str, limits: Limits) -> int:
    """Refuse a file with links outward, hidden sizes or weights that are not finite; return their bytes."""
    import h5py

    heaps.check(path, part)
    with h5py.File(path, "r") as file:
        room = limits.ratio * path.stat().st_size + 16 * limits.small
        total = 0
        found = [
            (name, f"{part}, dataset '{shown(name)}'", item) for name, item in _datasets(file, part, limits)
        ]
        for _, where, dataset in found:
            total += _check_dataset(dataset, where, limits)
            if total > min(limits.total, room):
                reason = f"the weights are too large for this file: {size(total)} are declared"
                raise Stop(part, reason, WRITE_ANEW)
        for name, where, dataset in found:
            if not name.startswith("optimizer"):
                _check_finite(dataset, where)
        return total


def model_config(path: Path, part: str, limits: Limits) -> bytes:
    """Return the model's config; a file of weights alone is refused in words of its own."""
    import h5py

    heaps.check(path, part)
    with h5py.File(path, "r") as file:
        if "model_config" not in file.attrs:
            if {"layer_names", "keras_version", "backend"} & set(file.attrs) or {"layers", "vars"} & set(
                file
            ):
                raise Stop(part, "it holds weights only, without the network they belong to", WHOLE)
            raise Stop(part, "it is an HDF5 file, but not a model that Keras saved", WHOLE)
        if file.attrs.get_id("model_config").get_storage_size() > limits.text:
            raise Stop(f"{part}, model_config", "the text is too large", WRITE_ANEW)
        config = file.attrs["model_config"]
        text = config if isinstance(config, bytes) else str(config).encode()
        return bytes(text)


def _datasets(file: Any, part: str, limits: Limits) -> Iterator[tuple[str, Any]]:
    """Every dataset, after a look at the link that leads to it."""
    import h5py

    pending, seen, count = [("", file, 0)], {_address(file)}, 0
    while pending:
        prefix, group, depth = pending.pop()
        for name in group:
            count += 1
            where = f"{part}, '{shown(prefix + name)}'"
            if count > limits.objects or depth > limits.depth:
                raise Stop(where, "there are too many objects, or they are nested too deep", WRITE_ANEW)
            _check_link(group, name, where)
            item = group[name]
            if isinstance(item, h5py.Dataset):
                yield prefix + name, item
            elif isinstance(item, h5py.Group):
                if (address := _address(item)) in seen:
                    raise Stop(where, "the group leads back to itself", WRITE_ANEW)
                seen.add(address)
                pending.append((f"{prefix}{name}/", item, depth + 1))
            else:
                raise Stop(where, "it is neither a group nor a dataset", WRITE_ANEW)


def _address(item: Any) -> Any:
    import h5py

    return h5py.h5o.get_info(item.id).addr


def _check_link(group: Any, name: str, where: str) -> None:
    """Only a hard link, the kind that cannot lead out of the file, is followed."""
    from h5py import h5l

    kind = group.id.links.get_info(name.encode("utf-8", "surrogateescape")).type
    if kind == h5l.TYPE_HARD:
        return
    said = {h5l.TYPE_SOFT: "a soft link", h5l.TYPE_EXTERNAL: "a link to another file"}
    raise Stop(where, f"it is {said.get(kind, 'a link of a kind of its own')}", WRITE_ANEW)


def _check_dataset(dataset: Any, where: str, limits: Limits) -> int:
    """Return the bytes that reading it takes."""
    from h5py import h5d

    made = dataset.id.get_create_plist()
    if made.get_layout() == h5d.VIRTUAL:
        raise Stop(where, "it is virtual: its numbers are in other files", WRITE_ANEW)
    if made.get_layout() != h5d.CHUNKED and made.get_external_count():
        raise Stop(where, "its numbers are in external files", WRITE_ANEW)
    if any(made.get_filter(k)[0] not in FILTERS for k in range(made.get_nfilters())):
        raise Stop(where, "it is packed by a plug-in", WRITE_ANEW)
    known = dataset.dtype.kind in "fiubSV" and dataset.dtype.fields is None
    if not known and not _is_text(dataset):
        raise Stop(where, f"it holds {dataset.dtype} and not numbers", WRITE_ANEW)
    declared = math.prod(dataset.shape or ()) * int(dataset.dtype.itemsize)
    stored = max(1, dataset.id.get_storage_size())
    if declared > limits.total or (declared > limits.small and declared > limits.ratio * stored):
        raise Stop(where, f"{size(stored)} are stored, {size(declared)} declared", WRITE_ANEW)
    chunk = math.prod(dataset.chunks or ()) * dataset.dtype.itemsize
    if chunk > max(limits.small, 2 * declared):
        raise Stop(where, f"its chunks of {size(chunk)} are larger than its content", WRITE_ANEW)
    return declared


def _is_text(dataset: Any) -> bool:
    import h5py

    return h5py.check_string_dtype(dataset.dtype) is not None and dataset.shape == ()


def _check_finite(dataset: Any, where: str) -> None:
    if dataset.dtype.kind != "f" or dataset.shape is None or not dataset.size:
        if dataset.dtype.kind in "iub" and dataset.size:
            dataset[(0,) * dataset.ndim]
        return
    if not dataset.ndim:
        values: Iterable[Any] = [dataset[()]]
    else:
        rows = max(1, BLOCK // max(1, math.prod(dataset.shape[1:])))
        values = (dataset[k : k + rows] for k in range(0, dataset.shape[0], rows))
    if not all(np.isfinite(block).all() for block in values):
        raise Stop(
            where, "it has weights that are not finite (NaN or infinite)", "Train the model once more."
        )
