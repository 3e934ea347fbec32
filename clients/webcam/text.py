"""Text in any script, which OpenCV's own fonts do not have."""

import sys
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image as PillowImage
from PIL import ImageDraw, ImageFont

from clients.webcam.geometry import Image
from pipeline.errors import UserError

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

_FOLDERS = (
    "/usr/share/fonts",
    "/usr/local/share/fonts",
    "~/.local/share/fonts",
    "~/.fonts",
    "/System/Library/Fonts",
    "/Library/Fonts",
)
# Names that start so are tried first: readable, and wide in what they cover.
_PREFERRED = (
    "DejaVuSans.",
    "NotoSans-Regular",
    "NotoSansCJK",
    "SourceHanSans",
    "wqy",
    "PingFang",
    "Hiragino Sans GB",
    "STHeiti",
    "Arial Unicode",
    "DroidSansFallback",
)
# A code point that Unicode will never assign: fonts draw their box for missing ones.
_UNASSIGNED = "\U0010ffff"


class Writer:
    """Writes text on images with whatever font of the machine has its characters."""

    def __init__(self, font: Path | None = None) -> None:
        """Takes a font.

        Args:
          font: Tried before the machine's.

        Raises:
          UserError: the font cannot be read.
        """
        self._own = font
        if font is not None:
            try:
                ImageFont.truetype(str(font), 16)
            except OSError:
                raise UserError(f"--font {font}: it is missing or not a font.") from None
        self._missing: set[frozenset[str]] = set()
        self.mask = lru_cache(maxsize=256)(self._mask)

    def size(self, text: str, height: int) -> tuple[int, int]:
        """Returns the width and height that `write` fills, in pixels."""
        mask = self.mask(text, height)
        return mask.shape[1], mask.shape[0]

    def write(
        self,
        image: Image,
        text: str,
        at: tuple[int, int],
        height: int,
        colour: tuple[int, int, int],
    ) -> None:
        """Writes into an image; what would lie outside is cut off.

        Args:
          image: uint8[h, w, 3], changed in place.
          text: One line.
          at: Left and top.
          height: Size of the font in pixels.
          colour: Blue, green, red.
        """
        mask = self.mask(text, height)
        left, top = at
        x, y = max(left, 0), max(top, 0)
        right = min(left + mask.shape[1], image.shape[1])
        bottom = min(top + mask.shape[0], image.shape[0])
        if x >= right or y >= bottom:
            return
        ink = mask[y - top : bottom - top, x - left : right - left, np.newaxis]
        area = image[y:bottom, x:right]
        alpha = ink.astype(np.float32) / 255
        area[:] = area + (np.array(colour, np.float32) - area) * alpha

    def _mask(self, text: str, height: int) -> np.ndarray:
        """Draws text, uint8[h, w], 255 where the ink is."""
        font = self._font(text, height)
        if isinstance(font, ImageFont.ImageFont):
            text = text.encode("latin-1", "replace").decode("latin-1")
        width = max(int(np.ceil(font.getlength(text))), 1)
        canvas = PillowImage.new("L", (width, round(height * 1.3)))
        ImageDraw.Draw(canvas).text((0, round(height * 0.05)), text, fill=255, font=font)
        return np.asarray(canvas)

    def _font(self, text: str, height: int) -> Font:
        characters = frozenset(text) - {" "}
        best = _font_for(characters, self._own)
        if best is not None:
            return ImageFont.truetype(best, height)
        # A label's percentage changes with every frame, what is missing of it does not.
        foreign = frozenset(one for one in characters if not one.isascii())
        if foreign not in self._missing:
            self._missing.add(foreign)
            print(
                f"No font on this machine has all of {text!r}; --font names one.", file=sys.stderr
            )
        return ImageFont.load_default(height)


@lru_cache(maxsize=1024)
def _font_for(characters: frozenset[str], own: Path | None) -> str | None:
    """Returns a font file with all of the characters; None if there is none."""
    return next((path for path in _fonts(own) if _has(path, characters)), None)


def _fonts(own: Path | None) -> Iterator[str]:
    if own is not None:
        yield str(own)
    yield from _machine_fonts()


@lru_cache(maxsize=1)
def _machine_fonts() -> tuple[str, ...]:
    found = sorted(
        path
        for folder in _FOLDERS
        for path in Path(folder).expanduser().rglob("*")
        if path.suffix.lower() in {".ttf", ".ttc", ".otf"}
    )

    def rank(path: Path) -> int:
        return next((i for i, name in enumerate(_PREFERRED) if path.name.startswith(name)), 99)

    return tuple(str(path) for path in sorted(found, key=rank))


def _has(path: str, characters: frozenset[str]) -> bool:
    try:
        font = ImageFont.truetype(path, 24)
        absent = bytes(font.getmask(_UNASSIGNED))
        return all(bytes(font.getmask(one)) != absent for one in characters)
    except (OSError, ValueError):
        return False
