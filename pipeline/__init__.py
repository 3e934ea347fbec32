"""The pipeline: settings, wiring, and the code that TFX's components run."""
