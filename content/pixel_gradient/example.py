"""The derivative of one output with respect to every pixel, in a few lines of TensorFlow."""

import tensorflow as tf

image = tf.ones([1, 4, 4, 1])
kernel = tf.ones([3, 3, 1, 1])

output_gradient = tf.scatter_nd([[0, 1, 1, 0]], [1.0], [1, 4, 4, 1])  # grad_ys: which output flows back


@tf.function
def with_gradients(pixels):
    output = tf.nn.conv2d(pixels, kernel, strides=1, padding="SAME")
    return tf.gradients(output, pixels, grad_ys=output_gradient)[0]


with tf.GradientTape() as tape:  # the same with a tape
    tape.watch(image)  # an image is no variable, so it has to be watched
    output = tf.nn.conv2d(image, kernel, strides=1, padding="SAME")
with_a_tape = tape.gradient(output, image, output_gradients=output_gradient)

pixel_gradient = with_gradients(image)
print(pixel_gradient[0, :, :, 0].numpy().astype(int))
