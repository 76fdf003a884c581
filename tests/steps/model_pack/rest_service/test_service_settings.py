"""Settings come from the environment, and one that makes no sense is named."""

import re
from pathlib import Path

import pytest

from rest_service import settings
from rest_service.settings import ServiceSettings, usable_cores


def test_nothing_set_gives_the_defaults_with_the_cores_for_one_worker() -> None:
    assert ServiceSettings.read({}) == ServiceSettings(threads=usable_cores())


def test_every_field_has_a_variable_that_its_description_names() -> None:
    text = Path(settings.__file__).read_text()
    fields = ServiceSettings.__dataclass_fields__
    variables = re.findall(r'^    """((?:SERVICE|DETECTOR)_[A-Z_]+):', text, flags=re.MULTILINE)
    assert len(variables) == len(fields)
    values = dict.fromkeys(variables, "3")
    found = ServiceSettings.read(values)
    texts = {"token", "cors_origins", "trusted_proxies"}
    assert [getattr(found, name) for name in fields if name not in texts] == [3] * (len(fields) - len(texts))
    assert (found.token, found.cors_origins, found.trusted_proxies) == ("3", ("3",), "3")


@pytest.mark.parametrize(("cores", "workers", "threads"), [(8, 2, 4), (2, 4, 1), (7, 2, 3)])
def test_threads_times_workers_stay_within_the_cores(
    monkeypatch: pytest.MonkeyPatch, cores: int, workers: int, threads: int
) -> None:
    monkeypatch.setattr("rest_service.settings.usable_cores", lambda: cores)
    assert ServiceSettings.read({"SERVICE_WORKERS": str(workers)}).threads == threads


@pytest.mark.parametrize("value", ["x", "-1", "0.5", "1e9", "nan"])
def test_a_variable_that_is_no_whole_number_is_named(value: str) -> None:
    with pytest.raises(ValueError, match=f"SERVICE_QUEUE must be a number of at least 1, found '{value}'"):
        ServiceSettings.read({"SERVICE_QUEUE": value})


@pytest.mark.parametrize("value", ["inf", "nan", "0", "-1"])
def test_a_time_must_be_a_finite_number(value: str) -> None:
    with pytest.raises(ValueError, match="SERVICE_DEADLINE_SECONDS must be"):
        ServiceSettings.read({"SERVICE_DEADLINE_SECONDS": value})


def test_origins_are_separated_by_commas() -> None:
    read = ServiceSettings.read({"SERVICE_CORS_ORIGINS": "https://a.example, https://b.example,"})
    assert read.cors_origins == ("https://a.example", "https://b.example")


@pytest.mark.parametrize(
    ("files", "cores"),
    [
        ({"cpu.max": "150000 100000\n"}, 1.5),
        ({"cpu.max": "max 100000\n"}, None),
        ({"cpu/cpu.cfs_quota_us": "50000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 0.5),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, None),
        ({}, None),
    ],
)
def test_the_quota_of_a_container_is_read(tmp_path: Path, files: dict[str, str], cores: float | None) -> None:
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content)
    assert settings._cgroup_cores(tmp_path) == cores


def test_half_a_core_counts_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rest_service.settings._cgroup_cores", lambda _: 0.5)
    assert usable_cores() == 1
