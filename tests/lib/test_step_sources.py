"""What `pipeline.steps` may hold: folders and repositories, and what is refused before git sees it."""

import pytest

from sinara_lib.errors import ParamsError
from sinara_lib.step_sources import StepSource, is_local_path, read_sources


def _one(entry: object) -> StepSource:
    return read_sources([entry], "sinara.toml")[0]


def test_a_list_and_a_table_by_names_say_the_same() -> None:
    git = {"git": "https://host/org/demo-data_load.git", "ref": "v1"}
    listed = read_sources(["steps/count", git], "sinara.toml")
    assert listed == read_sources({"count": "steps/count", "data_load": git}, "sinara.toml")
    assert [source.name for source in listed] == ["count", "data_load"]
    assert listed[1] == StepSource("data_load", git="https://host/org/demo-data_load.git", ref="v1")


@pytest.mark.parametrize(
    ("url", "local"),
    [
        ("https://host/org/x-count.git", False),
        ("ssh://git@host:22/org/count", False),
        ("git@host:org/x-count.git", False),
        ("host:x-count.git", False),
        ("file:///far/count", False),
        ("/far/x-count.git", True),
        ("../count/", True),
        ("~/count", True),
    ],
)
def test_urls_scp_forms_and_paths_name_a_repository(url: str, *, local: bool) -> None:
    assert _one({"git": url}) == StepSource("count", git=url)
    assert is_local_path(url) is local


def test_a_step_within_a_repository_is_named_after_its_folder() -> None:
    assert _one({"git": "git@host:org/all.git", "path": "steps/demo-count/"}).name == "count"


def test_a_clone_is_called_so_that_the_step_in_it_has_its_name() -> None:
    assert _one({"git": "https://host/demo-count"}).repository_folder == "demo-count"
    assert _one({"git": "https://host/demo-count", "name": "tally"}).repository_folder == "tally"
    assert _one({"git": "https://host/all", "path": "count"}).repository_folder == "all"


def test_two_steps_of_one_name_are_refused() -> None:
    with pytest.raises(ParamsError, match=r"two steps are named count: a-count and https://host/b-count\. Give one"):
        read_sources(["a-count", {"git": "https://host/b-count"}], "sinara.toml")


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({"git": "--upload-pack=touch ran"}, r"is no URL of a repository: git would take it for an option"),
        ("--upload-pack=touch ran", r"git would take it for an option"),
        ({"git": "ext::sh -c id"}, r"git would take it for an option or a command"),
        ({"git": "ssh://-oProxyCommand=id/x"}, r"begins with -, which ssh would take for an option"),
        ({"git": "git@-oProxyCommand=id:x"}, r"begins with -, which ssh would take for an option"),
        ({"git": "https://host/x", "ref": "--help"}, r"'--help' is no tag, branch or commit"),
        ({"git": "https://host/x", "ref": "a..b"}, r"'a\.\.b' is no tag"),
        ({"git": "https://host/x", "path": "../y"}, r"path '\.\./y' leaves the repository"),
        ({"git": "https://host/x", "tag": "v1"}, r"unknown key 'tag'; known: name, folder, git, ref, path"),
        ({"folder": "x", "ref": "v1"}, r"ref belongs to a git URL; x is a folder"),
        ({"ref": "v1"}, r"give each step either a folder or a git URL"),
        ({"folder": "count", "name": "other"}, r"the step in count is count, after its folder, not other"),
        (3, r"3 is no step: give a folder, or"),
        ({"git": "https://host/x y"}, r"name 'x y' is not usable"),
    ],
)
def test_what_names_no_step_is_told_with_what_to_give(entry: object, words: str) -> None:
    with pytest.raises(ParamsError, match=words):
        _one(entry)


@pytest.mark.parametrize(
    "entry",
    [
        "https://me:pl4nted@host/count.git",
        {"git": "ssh://me:pl4nted@host/count"},
        {"git": "https://pl4nted@host/count.git"},
        {"git": "HTTPS://host/count.git?access_token=pl4nted"},
        {"git": "https://me:pl4nted/x@host/count.git"},
    ],
)
def test_a_password_in_a_url_is_refused_and_not_repeated(entry: object) -> None:
    with pytest.raises(
        ParamsError, match=r"was given with a user, password or token, which has no place in a file"
    ) as refusal:
        _one(entry)
    assert "pl4nted" not in str(refusal.value)
