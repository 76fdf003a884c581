"""Changed copies of training images: rotated, scaled, mirrored, in other colours; drawn from a seed."""

import hashlib
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from dataset_conversion.geometry import Affine, pixel_move
from prep_params import Augment

Pixels = NDArray[np.uint8]
_GREY = (114, 114, 114)


@dataclass(frozen=True)
class Change:
    """What is done to one copy: degrees against the clock, factors, and whether it is mirrored."""

    angle: float
    factor: float
    mirrored: bool
    brightness: float
    contrast: float
    saturation: float


def draw_change(augment: Augment, *, file_name: str, copy: int, seed: int) -> Change:
    """Return the change of one copy of an image: the same for the same seed, name, number and strengths."""
    digest = hashlib.sha256(f"{seed}/{copy}/{file_name}".encode()).digest()
    # Six numbers are drawn whatever is switched on, so that one strength does not stir the others.
    draws = np.random.Generator(np.random.PCG64(int.from_bytes(digest[:16], "big"))).random(6)
    spread = 2 * draws - 1
    return Change(
        angle=float(augment.rotate * spread[0]),
        factor=float(1 + augment.scale * spread[1]),
        mirrored=bool(augment.flip and draws[2] < 0.5),
        brightness=float(1 + augment.colour * spread[3]),
        contrast=float(1 + augment.colour * spread[4]),
        saturation=float(1 + augment.colour * spread[5]),
    )


def change_move(change: Change, width: int, height: int) -> Affine:
    """Return where points of an image go: mirrored first, then rotated and scaled about its middle."""
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), change.angle, change.factor)
    mirror = np.array([[-1.0 if change.mirrored else 1.0, 0, width if change.mirrored else 0], [0, 1, 0], [0, 0, 1]])
    return np.asarray(turn @ mirror, dtype=np.float64)


def change_pixels(image: Pixels, change: Change) -> Pixels:
    """Return the changed copy of a BGR picture, in the same size; where the picture does not reach, it is grey."""
    height, width = image.shape[:2]
    move = pixel_move(change_move(change, width, height))
    rotated = cv2.warpAffine(image, move, (width, height), flags=cv2.INTER_LINEAR, borderValue=_GREY)
    return _recoloured(np.asarray(rotated, dtype=np.uint8), change)


def _recoloured(image: Pixels, change: Change) -> Pixels:
    grey = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    coloured = cv2.addWeighted(image, change.saturation, grey, 1 - change.saturation, 0)
    middle = float(grey.mean()) * (1 - change.contrast)
    strength = change.brightness
    return np.asarray(
        cv2.addWeighted(coloured, change.contrast * strength, coloured, 0, middle * strength), dtype=np.uint8
    )
