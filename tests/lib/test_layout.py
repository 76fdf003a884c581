"""Names, run ids and URLs of the store."""

import string
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinara_lib.errors import LayoutError
from sinara_lib.layout import (
    EntityAddress,
    RunAddress,
    StepAddress,
    check_name,
    entity_name,
    is_run_id,
    new_run_id,
    next_run_time,
    run_sort_key,
    sort_run_ids,
    split_entity_url,
    split_run_url,
    step_name,
)

RUN_ID = "run-26-11-21-013711-482"
WHEN = datetime(2026, 11, 21, 1, 37, 11, 482_900, tzinfo=timezone.utc)
ALLOWED = string.ascii_letters + string.digits + "_.-"

times = st.datetimes(datetime(2000, 1, 1), datetime(2060, 1, 1), timezones=st.timezones())  # noqa: DTZ001
utc_times = times.map(lambda time: time.astimezone(timezone.utc))
names = st.text(ALLOWED, min_size=1, max_size=12).filter(lambda name: name.strip("."))
entity_names = names.map(lambda name: name.replace(".", "_"))
roots = st.sampled_from(["file:///data/user", "s3://bucket", "memory://store/user", "/plain/path with space"])
addresses = st.builds(RunAddress, st.builds(StepAddress, names, names, names), times.map(new_run_id))


def test_a_run_id_shows_its_utc_time_to_the_millisecond() -> None:
    assert new_run_id(WHEN) == RUN_ID


def test_a_run_id_is_in_utc_whatever_the_zone_of_the_clock() -> None:
    assert new_run_id(WHEN.astimezone(timezone(timedelta(hours=9)))) == RUN_ID


@given(utc_times, utc_times)
def test_run_ids_sort_by_their_time(one: datetime, other: datetime) -> None:
    if one > other:
        one, other = other, one
    assert run_sort_key(new_run_id(one)) <= run_sort_key(new_run_id(other))
    if other - one >= timedelta(milliseconds=1):
        assert run_sort_key(new_run_id(one)) < run_sort_key(new_run_id(other))


@given(utc_times)
def test_the_text_of_run_ids_of_one_form_sorts_like_their_time(time: datetime) -> None:
    later = time + timedelta(milliseconds=1)
    assert new_run_id(time) < new_run_id(later)


@given(times)
def test_a_run_id_reads_back_as_its_second(time: datetime) -> None:
    read, rest = run_sort_key(new_run_id(time))
    assert read == time.astimezone(timezone.utc).replace(microsecond=0)
    assert rest == f"{time.microsecond // 1000:03d}"


def test_an_id_of_sinaraml_without_milliseconds_sorts_among_ours() -> None:
    legacy = "run-26-11-21-013711"
    assert is_run_id(legacy)
    assert run_sort_key("run-26-11-21-013710-999") < run_sort_key(legacy) < run_sort_key("run-26-11-21-013711-000")


run_ids = st.one_of(
    times.map(new_run_id),
    times.map(lambda time: new_run_id(time)[:19]),
    st.builds(
        lambda time, rest: f"{new_run_id(time)[:19]}-{rest}", times, st.from_regex(r"[A-Za-z0-9_]{1,5}", fullmatch=True)
    ),
)


@given(st.lists(run_ids))
def test_the_cheap_order_of_run_ids_is_that_of_their_times(ids: list[str]) -> None:
    assert sort_run_ids([*ids, "notes", "run-x"]) == sorted(ids, key=run_sort_key, reverse=True)


@given(run_ids, utc_times)
def test_the_next_run_sorts_after_the_newest_and_bears_the_time_where_the_clock_is_right(
    newest: str, now: datetime
) -> None:
    time = next_run_time(newest, now)
    assert run_sort_key(new_run_id(time)) > run_sort_key(newest)
    assert time == now or time > now
    if now - run_sort_key(newest)[0] >= timedelta(seconds=1):
        assert time == now


def test_the_first_run_of_a_step_bears_the_time() -> None:
    assert next_run_time(None, WHEN) == WHEN


@pytest.mark.parametrize(
    "name",
    [
        "",
        "run",
        "run-26-11-21",
        "run-26-13-21-013711",
        "run-26-11-31-013711",
        "run-26-11-21-250000",
        f"{RUN_ID}/x",
        f"{RUN_ID}\n",
        f" {RUN_ID}",
        "run-26-11-21-013711-",
        "run-٢٦-11-21-013711",
    ],
)
def test_what_is_no_time_is_no_run_id(name: str) -> None:
    assert not is_run_id(name)
    with pytest.raises(LayoutError, match=r"is not a run id"):
        run_sort_key(name)


@given(names)
def test_letters_digits_underscore_dot_and_dash_make_a_name(name: str) -> None:
    assert check_name(name, "step") == name


@pytest.mark.parametrize("name", ["", ".", "..", "...", "a/b", "../a", "a b", "ä", "a\n", "a\\b", "a:b", "%2e%2e"])
def test_a_name_that_climbs_or_is_empty_or_holds_other_signs_is_refused(name: str) -> None:
    with pytest.raises(LayoutError, match=r"zone name .* is not usable"):
        check_name(name, "zone")
    with pytest.raises(LayoutError):
        StepAddress("pipeline", name, "step")
    with pytest.raises(LayoutError):
        entity_name(name)


def test_a_dot_in_an_entity_becomes_an_underscore() -> None:
    assert entity_name("reports_data_load.ipynb") == "reports_data_load_ipynb"


def test_an_entity_address_with_a_dot_is_refused_and_shows_the_right_name() -> None:
    run = RunAddress(StepAddress("p", "z", "s"), RUN_ID)
    with pytest.raises(LayoutError, match=r"'a_b'"):
        EntityAddress(run, "a.b")
    assert run.entity("a.b").name == "a_b"


@pytest.mark.parametrize(
    ("folder", "step"),
    [("data_load", "data_load"), ("obj_detect-data_load", "data_load"), ("a-b-c.d", "c.d")],
)
def test_a_step_is_named_after_its_folder_from_the_last_dash(folder: str, step: str) -> None:
    assert step_name(folder) == step


def test_a_folder_that_ends_in_a_dash_names_no_step() -> None:
    with pytest.raises(LayoutError, match=r"step name ''"):
        step_name("data_load-")


@given(roots, addresses)
def test_splitting_a_run_url_undoes_joining_it(root: str, run: RunAddress) -> None:
    assert split_run_url(f"{root}/{run.path}") == (root, run)
    assert split_run_url(f"{root}/{run.path}/") == (root, run)


@given(roots, addresses, entity_names)
def test_splitting_an_entity_url_undoes_joining_it(root: str, run: RunAddress, name: str) -> None:
    entity = run.entity(name)
    assert split_entity_url(f"{root}/{entity.path}") == (root, entity)


@pytest.mark.parametrize("url", ["", "run", f"z/s/{RUN_ID}", "file:///p/z/s/run-x", f"/r/../z/s/{RUN_ID}"])
def test_what_is_no_run_url_is_refused(url: str) -> None:
    with pytest.raises(LayoutError):
        split_run_url(url)


def test_a_run_url_is_no_entity_url() -> None:
    with pytest.raises(LayoutError, match=r"is not an entity URL: expected <root>"):
        split_entity_url(f"file:///root/p/z/s/{RUN_ID}")
