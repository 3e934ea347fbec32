"""TFX components of this project, where TFX has none or its own fall short."""
