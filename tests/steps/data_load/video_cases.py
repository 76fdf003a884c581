"""Small videos made for tests."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

CODECS = {".mp4": "mpeg4", ".mkv": "mpeg4", ".avi": "mjpeg", ".mov": "mjpeg"}
HEIGHT, WIDTH = 48, 64


def write_video(
    path: Path, pictures: Sequence[np.ndarray], *, times: Sequence[float] | None = None, turn: int = 0
) -> Path:
    """Encode RGB pictures, 10 a second or at the given seconds, to be shown rotated by `turn` degrees."""
    times = [number / 10 for number in range(len(pictures))] if times is None else times
    with av.open(str(path), "w") as container:
        stream = container.add_stream(CODECS[path.suffix], rate=10)
        stream.width, stream.height = WIDTH, HEIGHT
        stream.pix_fmt = "yuvj420p" if CODECS[path.suffix] == "mjpeg" else "yuv420p"
        stream.codec_context.time_base = Fraction(1, 10 if path.suffix == ".avi" else 1000)
        if turn:
            stream.set_display_rotation(turn)
        for picture, time in zip(pictures, times, strict=True):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = round(time * 1000), Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def grey(*levels: int) -> list[np.ndarray]:
    """Pictures of one level of grey each."""
    return [np.full((HEIGHT, WIDTH, 3), level, np.uint8) for level in levels]
