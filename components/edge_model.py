"""The files of an edge model, as its EdgeModel artifact and its published versions hold them."""

FLOAT_FILE = "model_float32.tflite"
INT8_FILE = "model_int8.tflite"
LABELS_FILE = "labels.txt"

CONVERTED_KEY = "converted"
"""Custom property of the EdgeModel artifact: 1, or 0 where the model was not blessed."""
