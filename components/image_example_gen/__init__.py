"""A TFX ExampleGen for images in archives, folders and CSV files."""
