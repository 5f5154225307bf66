"""Registers sensenet's layers when imported, so that Keras can open its `.keras` files.

    import sensenet.keras
    import keras

    model = keras.saving.load_model("model.keras")

It registers the layers that Keras does not have with `tf.keras`: Keras 3, or Keras 2 (`tf_keras`) if
TF_USE_LEGACY_KERAS=1 is set before TensorFlow is imported. Raises MissingPackageError without TensorFlow.
Keras checks less than `sensenet.create_model` does: open only files that you trust in this way.
"""

from sensenet.backends.keras.layers import make_layer_classes

__all__: list[str] = []

make_layer_classes()
