"""Videos and snapshots of what is shown."""

import os
from contextlib import suppress
from pathlib import Path

import cv2

from clients.webcam.geometry import Image
from pipeline.errors import UserError

_MOST_REPEATS = 150
SUFFIXES = {".mp4": "mp4v", ".avi": "MJPG", ".mkv": "mp4v"}


class Recorder:
    """Writes a video that plays as fast as its frames were taken.

    Frames come irregularly; a video has a fixed rate, so a frame is repeated until the next is due.
    The file appears under its name when it is complete.
    """

    def __init__(self, path: Path, rate: float = 30.0) -> None:
        """Prepares a file.

        Args:
          path: Its name; the suffix chooses the container.
          rate: Frames a second.

        Raises:
          UserError: the folder or the suffix does not do.
        """
        if path.suffix.lower() not in SUFFIXES:
            raise UserError(f"--record {path}: the name must end in {', '.join(SUFFIXES)}.")
        check_writable(path, "--record")
        self.path = path
        self._partial = path.with_name(f".{path.stem}.partial{path.suffix}")
        self._rate = rate
        self._writer: cv2.VideoWriter | None = None
        self._size = (0, 0)
        self._start = 0.0
        self._due = 0
        self._written = 0

    def write(self, image: Image, time: float) -> None:
        """Adds a frame.

        Args:
          image: uint8[h, w, 3]; of another size than the first, it is fitted.
          time: When it was taken, in seconds.

        Raises:
          UserError: OpenCV cannot write the video.
        """
        writer = self._writer or self._open(image, time)
        if (image.shape[1], image.shape[0]) != self._size:
            image = cv2.resize(image, self._size, interpolation=cv2.INTER_AREA)
        due = round((time - self._start) * self._rate) + 1
        # A pause of hours must not fill the disk.
        repeats = min(max(due - self._due, 0), _MOST_REPEATS)
        for _ in range(repeats):
            writer.write(image)
        self._due = max(due, self._due)
        self._written += repeats

    def close(self) -> bool:
        """Completes the file.

        Returns:
          Whether there is one; without a frame there is none.

        Raises:
          UserError: it could not be written whole, or not moved to its name.
        """
        if self._writer is None:
            return False
        self._writer.release()
        self._writer = None
        if not self._is_whole():
            with suppress(OSError):
                self._partial.unlink()
            raise UserError(
                f"{self.path} cannot be written: the video is cut short; is there room on the disk?"
            )
        try:
            self._partial.replace(self.path)
        except OSError as error:
            raise UserError(
                f"{self.path} cannot be written: {error.strerror}; the video is in {self._partial}."
            ) from None
        return True

    def _is_whole(self) -> bool:
        """Whether the file has all frames and the last can be read; a writer tells of no error."""
        video = cv2.VideoCapture(str(self._partial))
        try:
            if video.get(cv2.CAP_PROP_FRAME_COUNT) < self._written:
                return False
            # A short file's number of frames may stand at its beginning, and its end be missing.
            video.set(cv2.CAP_PROP_POS_FRAMES, self._written - 1)
            return video.read()[0]
        finally:
            video.release()

    def _open(self, image: Image, time: float) -> cv2.VideoWriter:
        self._size = (image.shape[1], image.shape[0])
        code = cv2.VideoWriter.fourcc(*SUFFIXES[self.path.suffix.lower()])
        writer = cv2.VideoWriter(str(self._partial), code, self._rate, self._size)
        if not writer.isOpened():
            raise UserError(f"--record {self.path}: OpenCV cannot write such a video here.")
        self._writer, self._start = writer, time
        return writer


def save_image(path: Path, image: Image) -> None:
    """Writes an image; the file appears under its name when it is complete.

    Raises:
      UserError: it cannot be written.
    """
    done, encoded = cv2.imencode(path.suffix, image)
    partial = path.with_name(f".{path.name}.partial")
    try:
        partial.write_bytes(encoded.tobytes() if done else b"")
        partial.replace(path)
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror}.") from None


def check_writable(path: Path, option: str) -> None:
    """Raises UserError if a complete file could not be moved there, in place of an older one."""
    folder = path.absolute().parent
    if not folder.is_dir():
        raise UserError(f"{option} {path}: the folder {folder} does not exist.")
    if not os.access(folder, os.W_OK) or path.is_dir():
        raise UserError(f"{option} {path}: it cannot be written.")
