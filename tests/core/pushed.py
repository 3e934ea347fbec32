"""Folders that look as the Pusher leaves them."""

from pathlib import Path

from pipeline.manifest import Manifest, model_fingerprint, record_files


def push(folder: Path, content: str, file: str = "saved_model.pb") -> str:
    """Makes a version whose only file is this text; returns the fingerprint of its files."""
    folder.mkdir(parents=True)
    (folder / file).write_text(content)
    files = record_files(folder)
    manifest = Manifest(
        model_name="expression", files=files, model_fingerprint=model_fingerprint(files)
    )
    manifest.write(folder)
    return manifest.model_fingerprint
