"""Turns a blessed SavedModel into TFLite models."""
