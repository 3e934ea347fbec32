"""The desktop window."""

import ctypes
import os
import socket
import sys
from contextlib import suppress

import cv2

from clients.webcam.geometry import Image
from pipeline.errors import UserError

_TITLE = "Expressions"


class Window:
    """An OpenCV window; of the main thread, as macOS demands."""

    def __init__(self) -> None:
        """Checks that there is a screen; the window opens with its first image.

        Raises:
          UserError: there is none.
        """
        # The Qt of OpenCV's wheel speaks X alone, and ends the whole process where it finds none or
        # is asked for Wayland.
        if sys.platform.startswith("linux"):
            if not _display():
                raise UserError(
                    "There is no X display to open a window on; in a Wayland session install "
                    "XWayland, or use --headless, with --jsonl or --record."
                )
            os.environ["QT_QPA_PLATFORM"] = "xcb"
        os.environ.setdefault("QT_QPA_FONTDIR", "/usr/share/fonts/truetype/dejavu")
        os.environ.setdefault("QT_LOGGING_RULES", "*=false")
        _load_x11_xcb_of_the_machine()
        self._open = False
        self._seen = False

    def show(self, image: Image) -> None:
        """Shows an image, uint8[h, w, 3].

        Raises:
          UserError: OpenCV was built without windows.
        """
        try:
            if not self._open:
                cv2.namedWindow(
                    _TITLE, cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO | cv2.WINDOW_GUI_NORMAL
                )
                cv2.resizeWindow(_TITLE, image.shape[1], image.shape[0])
                self._open = True
            cv2.imshow(_TITLE, image)
        except cv2.error:
            raise UserError(
                "This OpenCV has no windows; install opencv-python, or use --headless."
            ) from None

    def key(self) -> str:
        """Lets the window work and returns the key that was pressed; q if it was closed."""
        if not self._open:
            return ""
        code = cv2.waitKey(1)
        try:
            visible = cv2.getWindowProperty(_TITLE, cv2.WND_PROP_VISIBLE) >= 1
        except cv2.error:
            # Qt has ended with its last window.
            self._open = False
            return "q"
        # A desktop takes its time to put up a new window, which is not closed meanwhile.
        if self._seen and not visible:
            return "q"
        self._seen = visible
        if code < 0:
            return ""
        return "q" if code & 0xFF == 27 else chr(code & 0xFF).lower()

    def close(self) -> None:
        """Closes the window."""
        if self._open:
            cv2.destroyAllWindows()


def _load_x11_xcb_of_the_machine() -> None:
    """Makes OpenCV's Qt use the libX11-xcb that belongs to the machine's libX11.

    OpenCV's wheel brings an older one, whose XSetEventQueueOwner writes to where libX11 1.8 has
    another field. Xlib then takes events away from Qt; when it takes the first MapNotify, the
    window stays black. Symbols of what is loaded first win.
    """
    if sys.platform.startswith("linux"):
        with suppress(OSError):
            ctypes.CDLL("libX11-xcb.so.1", mode=ctypes.RTLD_GLOBAL)


def _display() -> bool:
    """Whether an X server can be reached."""
    host, _, number = os.environ.get("DISPLAY", "").partition(":")
    number = number.partition(".")[0]
    if not number.isdecimal():
        return False
    if host not in {"", "unix"}:
        return True
    # Abstract sockets are Linux's own; a server may have only the file.
    for address in (f"\0/tmp/.X11-unix/X{number}", f"/tmp/.X11-unix/X{number}"):  # noqa: S108
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            if connection.connect_ex(address) == 0:
                return True
    return False
