"""The only TensorFlow code: freezing, looking inside, folding, differentiating."""
