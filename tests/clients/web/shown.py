"""What the page shows, read from its DOM."""

from dataclasses import dataclass

import numpy as np
from playwright.sync_api import Page

_READ_FACES = """() => [...document.querySelectorAll(".face[data-label]")].map((face) => {
  const crop = face.querySelector("canvas");
  const { data } = crop.getContext("2d").getImageData(0, 0, crop.width, crop.height);
  return {
    label: face.dataset.label,
    size: crop.width,
    crop: [...data.filter((_, i) => i % 4 === 0)],
    probabilities: Object.fromEntries([...face.querySelectorAll("tr")].map(
      (row) => [row.cells[0].textContent, Number(row.dataset.probability)])),
  };
})"""


@dataclass(frozen=True)
class ShownFace:
    """A face on the page.

    Attributes:
        label: name of its class in the data.
        crop: uint8[size, size], the crop as it was shown to the model.
        probabilities: by the name on the page.
    """

    label: str
    crop: np.ndarray
    probabilities: dict[str, float]


def faces(page: Page) -> list[ShownFace]:
    """Waits for a labelled face and returns all, the largest first."""
    page.wait_for_selector(".face[data-label]")
    return [
        ShownFace(
            face["label"],
            np.array(face["crop"], np.uint8).reshape(face["size"], face["size"]),
            face["probabilities"],
        )
        for face in page.evaluate(_READ_FACES)
    ]
