"""Tasks that use TensorFlow as a stranger's graph would."""

from pathlib import Path


def prepare():
    _tensorflow()


def _tensorflow():
    import tensorflow as tf

    return tf


def gradient(params, arrays, report):
    """The gradient of one output unit of a filter of ones, with respect to the image."""
    tf = _tensorflow()
    image = tf.constant(arrays["image"])
    with tf.GradientTape() as tape:
        tape.watch(image)
        y = tf.nn.conv2d(image, tf.ones((3, 3, 1, 1)), 1, "SAME")
    return {}, {"gradient": tape.gradient(y, image, tf.constant(arrays["seed"])).numpy()}


def op(params, arrays, report):
    """Run one operation that has an effect; how it ended."""
    tf = _tensorflow()
    secret, outside = params["secret"], params["outside"]
    ways = {
        "read": lambda: tf.io.read_file(secret),
        "match": lambda: tf.io.matching_files(f"{Path(secret).parent}/*"),
        "lines": lambda: next(iter(tf.data.TextLineDataset(secret))),
        "write": lambda: tf.io.write_file(outside, "written"),
        "print": lambda: tf.print("written", output_stream=f"file://{outside}"),
        "save": lambda: tf.raw_ops.SaveV2(
            prefix=outside, tensor_names=["x"], shape_and_slices=[""], tensors=[tf.ones(3)]
        ),
        "connect": lambda: tf.raw_ops.DebugIdentityV2(
            input=tf.ones(3), tfdbg_context_id="x", debug_urls=[f"grpc://127.0.0.1:{params['port']}"]
        ),
    }
    try:
        return {"got": str(ways[params["way"]]())}, {}
    except Exception as error:  # noqa: BLE001 - TensorFlow raises many kinds
        return {"refused": type(error).__name__}, {}


def abort(params, arrays, report):
    """The operation that ends its process."""
    tf = _tensorflow()
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        session.run(tf.raw_ops.Abort(error_msg="the end", exit_without_error=params["quiet"]))
    return {}, {}


TASKS = {task.__name__: task for task in (gradient, op, abort)}
