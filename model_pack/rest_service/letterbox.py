"""The library's letterbox. Packing puts that file in this one's place: the service runs without the library."""

from sinara_lib.vision.letterbox import UnreadFormatError, boxes_to_original, decode_image, letterbox, to_network_input

__all__ = ["UnreadFormatError", "boxes_to_original", "decode_image", "letterbox", "to_network_input"]
