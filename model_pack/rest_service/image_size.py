"""The library's image_size. Packing puts that file in this one's place: the service runs without the library."""

from sinara_lib.vision.image_size import MAX_PIXELS, MEDIA_TYPES, Size, UnknownFormatError, stated_size

__all__ = ["MAX_PIXELS", "MEDIA_TYPES", "Size", "UnknownFormatError", "stated_size"]
