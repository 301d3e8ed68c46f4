"""Files that act for certain where nothing holds them: when they are loaded, called or differentiated."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

from saliency_core.engine.runtime import tensorflow
from tests.engine.hostile.others import Act

SHAPE = (1, 8, 8, 3)


def acting(folder: Path, marker: Path, secret: Path, port: int) -> list[Path]:
    """Write the files; they write the marker with endings of their own, read the secret, or connect.

    The last one connects and waits for an answer without end.
    """
    folder.mkdir(parents=True, exist_ok=True)
    done = acts(marker, secret, port)
    return [
        *(by_resource(folder / f"loading_{name}", done[name]) for name in ("writes", "reads")),
        *by_python(folder, marker, secret, port),
        *(by_gradient(folder / f"gradient_{name}", act) for name, act in done.items()),
    ]


def acts(marker: Path, secret: Path, port: int) -> dict[str, Callable[[str], Any]]:
    """What can be done in the middle of a graph; each returns a number that may tell of it."""
    tf = tensorflow()

    def writes(when: str) -> Any:
        tf.io.write_file(f"{marker}_{when}", "written")
        return 1.0

    def reads(when: str) -> Any:
        return tf.cast(tf.strings.length(tf.io.read_file(str(secret))), tf.float32)

    def connects(when: str) -> Any:
        numbers = tf.data.Dataset.range(1)._variant_tensor
        found = tf.raw_ops.RegisterDatasetV2(
            dataset=numbers, address=f"127.0.0.1:{port}", protocol="grpc", external_state_policy=0
        )
        return tf.cast(tf.strings.length(found), tf.float32)

    return {"writes": writes, "reads": reads, "connects": connects}


def by_gradient(path: Path, act: Callable[[str], Any]) -> Path:
    """A SavedModel with a gradient rule of its own: nothing happens before a gradient is taken."""
    tf = tensorflow()

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def same(x: Any) -> Any:
        def grad(upstream: Any) -> Any:
            return upstream * act("gradient")

        return tf.identity(x), grad

    class Served(tf.Module):  # type: ignore[misc,name-defined]
        @tf.function(input_signature=[tf.TensorSpec(SHAPE, tf.float32)])
        def __call__(self, x: Any) -> Any:
            return {"out": tf.reduce_mean(same(x), (1, 2))}

    made = Served()
    options = tf.saved_model.SaveOptions(experimental_custom_gradients=True)
    tf.saved_model.save(made, str(path), made.__call__, options)
    return path


def by_resource(path: Path, act: Callable[[str], Any]) -> Path:
    """A SavedModel with a resource that is set up by the act when the file is loaded."""
    tf = tensorflow()

    class Held(tf.saved_model.experimental.TrackableResource):  # type: ignore[misc,name-defined]
        def _create_resource(self) -> Any:
            return tf.raw_ops.MutableHashTableV2(key_dtype=tf.string, value_dtype=tf.float32)

        def _initialize(self) -> None:
            tf.raw_ops.LookupTableInsertV2(
                table_handle=self.resource_handle, keys=["k"], values=[act("loading")]
            )

    class Served(tf.Module):  # type: ignore[misc,name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.held = Held()

        @tf.function(input_signature=[tf.TensorSpec(SHAPE, tf.float32)])
        def __call__(self, x: Any) -> Any:
            found = tf.raw_ops.LookupTableFindV2(
                table_handle=self.held.resource_handle, keys=["k"], default_value=0.0
            )
            return {"out": tf.reduce_mean(x, (1, 2)) + found}

    made = Served()
    tf.saved_model.save(made, str(path), made.__call__)
    return path


def by_python(folder: Path, marker: Path, secret: Path, port: int) -> list[Path]:
    """Keras files and pickles that hold Python code."""
    import keras

    written, read = f"{marker}_python", str(secret)
    codes = {
        "writes": lambda x: (open(written, "w").write("written"), x)[1],  # noqa: SIM115
        "reads": lambda x: x + len(open(read).read()),  # noqa: SIM115
        "connects": lambda x: (__import__("socket").create_connection(("127.0.0.1", port), 2), x)[1],
        "runs": lambda x: (__import__("subprocess").run(["/usr/bin/touch", written + "_run"], check=True), x)[1],
    }  # fmt: skip
    found = []
    for name, code in codes.items():
        held = keras.layers.Lambda(code, output_shape=SHAPE[1:])
        found.append(folder / f"lambda_{name}.keras")
        keras.Sequential([keras.layers.Input(SHAPE[1:]), held]).save(found[-1])
    found.append(folder / "act.pkl")
    found[-1].write_bytes(pickle.dumps(Act(Path(f"{marker}_pickle"))))
    return found
