"""weights_source: which checkpoint data_load brought, or none."""

from pathlib import Path

import pytest

from pretrained_weights.checkpoint_file import find_weights
from sinara_lib.errors import DataError


def test_the_named_checkpoint_is_found_and_null_means_from_scratch(tmp_path: Path) -> None:
    (tmp_path / "net.pth").write_bytes(b"weights")
    (tmp_path / "weights.json").write_text(
        '{"url": "file:///net.pth", "file_name": "net.pth", "sha256": "0", "bytes": 7}'
    )
    assert find_weights(tmp_path) == tmp_path / "net.pth"

    (tmp_path / "weights.json").write_text('{"url": null, "file_name": null, "sha256": null, "bytes": 0}')
    assert find_weights(tmp_path) is None


@pytest.mark.parametrize(
    ("record", "says"),
    [
        (None, "does not say"),
        ("[]", "does not say"),
        ('{"url": 1}', "file_name"),
        ('{"file_name": "x.pth"}', "only: weights.json"),
    ],
)
def test_a_record_that_leads_nowhere_is_refused(tmp_path: Path, record: str | None, says: str) -> None:
    if record is not None:
        (tmp_path / "weights.json").write_text(record)

    with pytest.raises(DataError, match=says):
        find_weights(tmp_path)


def test_a_checkpoint_alone_as_sinaraml_publishes_it_is_the_one_to_start_from(tmp_path: Path) -> None:
    (tmp_path / "yolox_s.pth").write_bytes(b"weights")
    assert find_weights(tmp_path) == tmp_path / "yolox_s.pth"
