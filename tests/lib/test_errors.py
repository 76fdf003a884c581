"""What an error carries beside its text."""

import copy

from sinara_lib.errors import DataError


def test_an_error_tells_its_place_apart_from_what_is_wrong_there() -> None:
    error = DataError("holds no image.", place="https://me:secret@h/photos.zip")
    for one in (error, copy.copy(error)):  # as from another process: made anew from its text, with its fields
        assert (one.place, one.reason) == ("https://h/photos.zip", "holds no image.")
        assert str(one) == "https://h/photos.zip: holds no image."


def test_an_error_without_a_place_is_its_reason() -> None:
    error = DataError("holds no image.")
    assert (error.place, error.reason, str(error)) == ("", "holds no image.", "holds no image.")
