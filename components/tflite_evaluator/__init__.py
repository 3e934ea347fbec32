"""Gates TFLite models against their SavedModel."""
