"""What an image file says of itself in its first bytes, read before anything is decoded."""

from __future__ import annotations

from http import HTTPStatus

from rest_service.errors import RequestError
from rest_service.image_size import MEDIA_TYPES, Size, UnknownFormatError, stated_size


def check_image(data: bytes, *, max_pixels: int) -> Size:
    """Return the size that the header of an image file states, before its orientation is applied.

    Raises RequestError: 400 for bytes that are no image, 415 for a kind of image that is not read here,
    413 for more than `max_pixels` pixels.
    """
    if not data:
        raise RequestError(HTTPStatus.BAD_REQUEST, "empty_image", "the image has no bytes")
    try:
        width, height = stated_size(data)
    except UnknownFormatError as error:
        raise _unknown_format(data, error) from error
    except ValueError as error:
        raise bad_image(str(error)) from error
    if width < 1 or height < 1:
        raise bad_image(f"its header says {width} x {height} pixels")
    if width * height > max_pixels:
        message = f"the image has {width} x {height} pixels, the limit is {max_pixels} in all"
        raise RequestError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too_many_pixels", message)
    return width, height


def bad_image(reason: str) -> RequestError:
    """Return the error for bytes that cannot be read as an image."""
    return RequestError(HTTPStatus.BAD_REQUEST, "bad_image", f"not a readable image: {reason}")


def _unknown_format(data: bytes, error: UnknownFormatError) -> RequestError:
    wanted = f"send one of {', '.join(MEDIA_TYPES)}"
    if data[4:8] == b"ftyp" or data.startswith((b"%PDF", b"<svg", b"\0\0\1\0", b"\0\0\0\x0cjP", b"8BPS")):
        return RequestError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", wanted)
    return bad_image(f"{error}; {wanted}")
