import tensorflow as tf

image = tf.ones([1, 4, 4, 1])
kernel = tf.ones([3, 3, 1, 1])
# The output gradient: 1 at [0, 1, 1, 0] and 0 elsewhere.
grad_ys = tf.scatter_nd([[0, 1, 1, 0]], [1.0], [1, 4, 4, 1])


def network(pixels):
    return tf.nn.conv2d(pixels, kernel, strides=1, padding="SAME")


# With a tape: the image is no variable, so the tape must be told to watch it.
with tf.GradientTape() as tape:
    tape.watch(image)
    output = network(image)
by_tape = tape.gradient(output, image, output_gradients=grad_ys)


# Inside a tf.function, or in TensorFlow 1: tf.gradients.
@tf.function
def pixel_gradient(pixels, weights=None):
    return tf.gradients(network(pixels), pixels, grad_ys=weights)[0]


by_graph = pixel_gradient(image, grad_ys)
# No error, no warning: this is the gradient of the sum of all 16 outputs.
without_grad_ys = pixel_gradient(image)

print("GradientTape", by_tape[0, :, :, 0].numpy(), sep="\n")
print("tf.gradients", by_graph[0, :, :, 0].numpy(), sep="\n")
print("without grad_ys", without_grad_ys[0, :, :, 0].numpy(), sep="\n")
