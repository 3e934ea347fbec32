"""Text in any script, which OpenCV's own fonts do not have."""

import os
import sys
from collections.abc import Iterator
from functools import cache, lru_cache
from itertools import groupby
from operator import itemgetter
from pathlib import Path

import numpy as np
from PIL import Image as PillowImage
from PIL import ImageDraw, ImageFont

from clients.webcam.geometry import Image
from pipeline.errors import UserError

_FOLDERS = (
    "/usr/share/fonts",
    "/usr/local/share/fonts",
    "~/.local/share/fonts",
    "~/.fonts",
    "/System/Library/Fonts",
    "/System/Library/AssetsV2/com_apple_MobileAsset_Font7",
    "/Library/Fonts",
    "~/Library/Fonts",
    "${WINDIR}/Fonts",
    "${LOCALAPPDATA}/Microsoft/Windows/Fonts",
)
# Names that start so are tried first: plain ones, then those with Chinese, Japanese and Korean.
_PREFERRED = (
    "DejaVuSans.",
    "NotoSans-Regular",
    "Helvetica.",
    "segoeui.",
    "NotoSansCJK-Regular",
    "NotoSansCJK",
    "NotoSansSC",
    "SourceHanSans",
    "wqy-",
    "PingFang",
    "Hiragino Sans GB",
    "STHeiti",
    "msyh.",
    "Deng.",
    "simhei",
    "simsun",
    "Arial Unicode",
    "DroidSansFallback",
    "uming",
)
# It has a box for every character.
_NO_WRITING = "LastResort"
# A code point that Unicode will never assign: fonts draw their box for missing ones.
_UNASSIGNED = "\U0010ffff"
# Stands for the Latin font inside Pillow, for machines without any.
_PILLOWS = ""


class Writer:
    """Writes text on images with whatever font of the machine has its characters."""

    def __init__(self, font: Path | None = None) -> None:
        """Takes a font.

        Args:
          font: Tried before the machine's.

        Raises:
          UserError: the font cannot be read.
        """
        if font is not None:
            try:
                ImageFont.truetype(str(font), 16)
            except OSError:
                raise UserError(f"--font {font}: it is missing or not a font.") from None
        self._own = font
        self._told: set[str] = set()
        self.mask = lru_cache(maxsize=256)(self._mask)

    def can(self, text: str) -> bool:
        """Whether the machine's fonts have every character of a text."""
        return all(one.isspace() or _font_for(one, self._own) is not None for one in text)

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
        runs = [(run, _load(path, height)) for path, run in self._runs(text)]
        widths = [font.getlength(run) for run, font in runs]
        canvas = PillowImage.new("L", (max(int(np.ceil(sum(widths))), 1), round(height * 1.3)))
        draw, left = ImageDraw.Draw(canvas), 0.0
        for (run, font), width in zip(runs, widths, strict=True):
            draw.text((left, height), run, fill=255, font=font, anchor="ls")
            left += width
        return np.asarray(canvas)

    def _runs(self, text: str) -> Iterator[tuple[str, str]]:
        """Splits a text where another font is needed; what no font has becomes `?`."""
        path = _font_for("?", self._own) or _PILLOWS
        pairs = []
        for character in text:
            drawn = character if self.can(character) else "?"
            if drawn != character:
                self._tell(character)
            if not drawn.isspace():
                # A space stays with the run before it.
                path = _font_for(drawn, self._own) or _PILLOWS
            pairs.append((path, drawn))
        for path, run in groupby(pairs, key=itemgetter(0)):
            yield path, "".join(character for _, character in run)

    def _tell(self, character: str) -> None:
        if character not in self._told:
            self._told.add(character)
            print(f"No font on this machine has {character!r}; --font names one.", file=sys.stderr)


@lru_cache(maxsize=64)
def _load(path: str, height: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.truetype(path, height) if path else ImageFont.load_default(height)


@cache
def _font_for(character: str, own: Path | None) -> str | None:
    """Returns the first font with a character; None if there is none."""
    return next((path for path in _fonts(own) if _has(path, character)), None)


def _fonts(own: Path | None) -> Iterator[str]:
    if own is not None:
        yield str(own)
    yield from _machine_fonts()
    yield _PILLOWS


@cache
def _machine_fonts() -> tuple[str, ...]:
    found = sorted(
        path
        for folder in _FOLDERS
        for path in Path(os.path.expandvars(folder)).expanduser().rglob("*")
        if path.suffix.lower() in {".ttf", ".ttc", ".otf", ".otc"}
        and not path.name.startswith(_NO_WRITING)
    )
    names = [name.lower() for name in _PREFERRED]

    def rank(path: Path) -> int:
        lower = path.name.lower()
        return next((i for i, name in enumerate(names) if lower.startswith(name)), len(names))

    return tuple(str(path) for path in sorted(found, key=rank))


def _has(path: str, character: str) -> bool:
    try:
        font = _load(path, 24)
        drawn = bytes(font.getmask(character))
        return any(drawn) and drawn != bytes(font.getmask(_UNASSIGNED))
    except (OSError, ValueError):
        return False
