"""Look inside a TensorFlow network: the gradient of any output with respect to every pixel."""
