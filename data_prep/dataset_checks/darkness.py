"""Whether a picture is nearly black, and whether that comes of a camera that fills only a part of 16 bits.

Of 16 bits a channel every step reads the upper 8: what a camera of 12 bits writes without scaling comes out at a
sixteenth of its brightness. How many bits are meant no file says for certain, so nothing is scaled here.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

_DARK_MEAN = 10
"""Of 255; photographs taken at night lie above it."""
_FULL_BITS, _PART_BITS = 16, 14


def why_dark(data: bytes, grey: NDArray[np.uint8], *, kind: str | None) -> str:
    """Return what makes a decoded picture nearly black, in words; empty when it is not. `kind`: Pillow's format."""
    mean, highest = float(grey.mean()), int(grey.max())
    if highest < 1 << (_PART_BITS - 8) and kind not in {"JPEG", "MPO", "BMP", "GIF", "WEBP"}:
        full = cv2.imdecode(np.frombuffer(data, dtype=np.uint8), cv2.IMREAD_ANYDEPTH | cv2.IMREAD_ANYCOLOR)
        if full is not None and full.dtype == np.uint16 and 0 < full.max() < 1 << _PART_BITS:
            bits = int(full.max()).bit_length()
            return (
                f"16 bits a channel, the largest value is {full.max():,}, as of a camera of {bits} bits; the upper 8 "
                f"bits are read, their mean is {mean:.0f} of 255. Multiply by {1 << (_FULL_BITS - bits)} before "
                "loading, and what the service is asked too"
            )
    return f"mean {mean:.0f} of 255" if mean < _DARK_MEAN else ""
