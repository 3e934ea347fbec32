"""Where frames come from: a camera, a video, an address, an image or a folder of them."""

import os
import sys
from pathlib import Path
from typing import Protocol

import cv2

from clients.webcam.geometry import Image
from pipeline.errors import UserError

# Read by OpenCV when it opens a stream; what it would print is told in one sentence here.
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")

_IMAGES = {".jpg", ".jpeg", ".png", ".bmp", ".webp"}
# Milliseconds; OpenCV's own are half a minute.
_TIMEOUTS = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, 5000, cv2.CAP_PROP_READ_TIMEOUT_MSEC, 5000]
# Stills are unrelated: further apart than a track lives.
STILL_SECONDS = 3.0


class Source(Protocol):
    """A sequence of frames.

    Attributes:
      name: For the screen.
      live: Whether frames come whether they are read or not.
      interval: Seconds between frames that are not live.
    """

    name: str
    live: bool
    interval: float

    def read(self) -> Image | None:
        """Returns the next frame, uint8[h, w, 3]; None when there is none, or none any more."""
        ...

    def close(self) -> None:
        """Lets go of the device or the file."""
        ...


class Capture:
    """A camera, a video file or a stream, through OpenCV."""

    def __init__(self, spec: str) -> None:
        """Opens it.

        Raises:
          UserError: it cannot be opened, or is empty.
        """
        camera = spec.isdecimal()
        try:
            self._capture = (
                cv2.VideoCapture(int(spec))
                if camera
                else cv2.VideoCapture(
                    spec,
                    cv2.CAP_ANY,
                    _TIMEOUTS,
                )
            )
        except (cv2.error, ValueError):
            # OpenCV counts cameras in 32 bits, and Python reads numbers of 4300 digits at most.
            raise UserError(_trouble(spec, camera=camera)) from None
        self.name = f"camera {spec}" if camera else spec if "://" in spec else Path(spec).name
        # One frame is read ahead: devices and files may open and give nothing.
        self._first = self._decode() if self._capture.isOpened() else None
        if self._first is None:
            self._capture.release()
            raise UserError(_trouble(spec, camera=camera))
        frames = self._capture.get(cv2.CAP_PROP_FRAME_COUNT)
        self.live = camera or ("://" in spec and frames <= 0)
        rate = self._capture.get(cv2.CAP_PROP_FPS)
        self.interval = 1 / rate if 0 < rate < 1000 else 1 / 30

    def read(self) -> Image | None:
        """See `Source`."""
        if self._first is not None:
            image, self._first = self._first, None
            return image
        return self._decode()

    def close(self) -> None:
        """See `Source`."""
        self._capture.release()

    def _decode(self) -> Image | None:
        try:
            done, image = self._capture.read()
        except cv2.error:
            return None
        return image if done and image is not None and image.size else None


class Stills:
    """Images one after another."""

    live = False
    interval = STILL_SECONDS

    def __init__(self, spec: str, paths: list[Path]) -> None:
        """Takes images in this order.

        Args:
          spec: What `--source` names.
          paths: The image itself, or those of the folder.

        Raises:
          UserError: none can be read.
        """
        self._paths = iter(paths)
        broken = []
        for path in self._paths:
            self.name = path.name
            self._first = _read_image(path)
            if self._first is not None:
                break
            broken.append(path)
        else:
            what = "the folder has no" if Path(spec).is_dir() else "it is not an"
            raise UserError(f"--source {spec}: {what} image that OpenCV can read.")
        # Only now: where all are broken, one sentence is enough.
        for path in broken:
            _tell_broken(path)

    def read(self) -> Image | None:
        """See `Source`; images that cannot be read are passed over and named on standard error."""
        if self._first is not None:
            first, self._first = self._first, None
            return first
        for path in self._paths:
            image = _read_image(path)
            if image is not None:
                self.name = path.name
                return image
            _tell_broken(path)
        return None

    def close(self) -> None:
        """See `Source`."""


def open_source(spec: str) -> Source:
    """Opens what `--source` names.

    Raises:
      UserError: it is not there, or cannot be read.
    """
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    if spec.isdecimal() or "://" in spec:
        return Capture(spec)
    path = Path(spec)
    if not spec or not path.exists():
        raise UserError(f"--source {spec}: there is no such file, folder or camera.")
    if path.is_dir():
        paths = sorted(one for one in path.rglob("*") if one.suffix.lower() in _IMAGES)
        if not paths:
            raise UserError(
                f"--source {spec}: the folder has no images ({', '.join(sorted(_IMAGES))})."
            )
        return Stills(spec, paths)
    if path.suffix.lower() in _IMAGES:
        return Stills(spec, [path])
    return Capture(spec)


def _read_image(path: Path) -> Image | None:
    try:
        return cv2.imread(str(path), cv2.IMREAD_COLOR)
    except cv2.error:
        return None


def _tell_broken(path: Path) -> None:
    print(f"{path} is not an image that OpenCV can read; it is passed over.", file=sys.stderr)


def _trouble(spec: str, *, camera: bool) -> str:
    if not camera:
        what = "nothing answers there" if "://" in spec else "it is empty or not a video"
        return f"--source {spec}: {what}."
    if sys.platform == "darwin":
        return (
            f"Camera {spec} gives no picture. If it is plugged in, allow the camera to your "
            "terminal in System Settings, Privacy & Security, Camera, and start again."
        )
    return (
        f"Camera {spec} gives no picture: it is not plugged in, is used by another program, or may "
        "not be read by you. --source names another camera, a video or an image."
    )
