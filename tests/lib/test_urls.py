"""URLs are checked at the door and shown without what must stay unknown, alone, in parameters and in longer texts."""

import pytest

from sinara_lib.errors import LayoutError
from sinara_lib.url_checks import checked_url, names_password
from sinara_lib.urls import params_without_credentials, without_credentials

SHOWN = [
    ("https://me:secret@host:8443/a.zip?x=1", "https://host:8443/a.zip"),
    ("https://bucket.host/a.zip?X-Amz-Signature=secret&id=1#token=secret", "https://bucket.host/a.zip"),
    ("https://account.blob.host/c/a.zip?sv=2024&se=2030&sig=secret", "https://account.blob.host/c/a.zip"),
    ("https://host/a;jsessionid=secret?x", "https://host/a"),
    ("HTTPS://me:secret@host/a.zip", "HTTPS://host/a.zip"),
    ("https://secret@host/org/step.git", "https://host/org/step.git"),
    ("https://me:se/cret@host/a.zip", "https://host/a.zip"),
    ("https://me:se?cret@host/a.zip", "https://host/a.zip"),
    ("https://me:se#cret@host/a.zip", "https://host/a.zip"),
    ("https://me:12/secret@host/a.zip", "https://host/a.zip"),
    ("https://me:s@e/cret@host.org/a.zip", "https://host.org/a.zip"),
    ("https:/me:secret@host/a.zip", "https://host/a.zip"),
    (r"https:\\me:secret@host\a.zip", r"https://host\a.zip"),
    ("https://archive.org/web/https://me:secret@host/x", "https://archive.org/web/https://host/x"),
    ("https://proxy/get?from=https://host/secret", "https://proxy/get"),
    ("https://me:secret", "https://me"),
    ("s3://key:secret@bucket/a.zip?versionId=3", "s3://bucket/a.zip?versionId=3"),
    ("s3://key:se/cret@bucket/a.zip", "s3://bucket/a.zip"),
    ("s3://bucket/a.zip?X-Amz-Security-Token=secret", "s3://bucket/a.zip"),
    ("s3://bucket/a.zip?AWSAccessKeyId=secret&Signature=secret", "s3://bucket/a.zip"),
    ("gs://bucket/a.zip?GoogleAccessId=secret", "gs://bucket/a.zip"),
    ("abfs://container@account.host/a.zip?sv=1&sig=secret", "abfs://container@account.host/a.zip"),
    ("abfs://container:secret@account.host/a.zip", "abfs://container@account.host/a.zip"),
    ("ftp://me:secret@host/a.zip?x=1", "ftp://host/a.zip"),
    ("postgresql://h/db?user=u&password=secret", "postgresql://h/db"),
    ("postgresql+psycopg://u:secret@h:5432,h2:5433/db", "postgresql+psycopg://h/db"),
    ("mssql+pyodbc:///?odbc_connect=DRIVER%3DX%3BPWD%3Dsecret", "mssql+pyodbc:///"),
    ("jdbc:sqlserver://host:1433;user=u;password=secret", "jdbc:sqlserver://host"),
    ("simplecache::https://me:secret@host/a.zip?sig=secret", "simplecache::https://host/a.zip"),
    ("zip://*.csv::filecache::s3://key:secret@b/a.zip", "zip://*.csv::filecache::s3://b/a.zip"),
]
AS_THEY_ARE = [
    "sample://scenes?images=4&seed=1",
    "s3://bucket/qu?estion.jpg",
    "s3://bucket/ha#sh.jpg",
    "s3://arn:aws:s3:west:1:accesspoint/name/im@ge.jpg",
    "abfs://container@account.host/what?.jpg",
    "https://host/me@home.zip",
    "http://127.0.0.1:99/im@ge.jpg",
    "http://[::1]:3000/x@y",
    "git@host:team/step.git",
    "sqlite:///labels.db",
    "file:///data/a:b@c#d?e.zip",
    "memory://root/x",
    "/data/a.zip",
    "a? b#c",
]


@pytest.mark.parametrize(("url", "shown"), SHOWN)
def test_a_url_is_shown_without_user_password_and_signature(url: str, shown: str) -> None:
    assert without_credentials(url) == shown
    assert params_without_credentials(url) == shown


@pytest.mark.parametrize("url", AS_THEY_ARE)
def test_what_holds_no_secret_is_shown_as_it_is(url: str) -> None:
    assert without_credentials(url) == params_without_credentials(url) == checked_url(url) == url


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (
            "https://me:secret@h/a.zip?secret: 403, see (https://h/b?secret).",
            "https://h/a.zip: 403, see (https://h/b).",
        ),
        (
            '{"a":"https://h:80/x","b":"mail@host","c":"s3://k:secret@b/x"}',
            '{"a":"https://h:80/x","b":"mail@host","c":"s3://b/x"}',
        ),
        (r"{\"a\":\"https://h/x?secret\",\"b\":1}", r"{\"a\":\"https://h/x\",\"b\":1}"),
        ("'https://me:secret@h/it's?secret', <https://h/x?secret>", "'https://h/it's', <https://h/x>"),
        (
            "git clone https://secret@host/step.git /x\nfatal: unable to access 'https://me:secret@host/step.git/'",
            "git clone https://host/step.git /x\nfatal: unable to access 'https://host/step.git/'",
        ),
        ("asked https://me:my secret@host/a.zip again", "asked https://host/a.zip again"),
        ("asked http://host:port or me@host", "asked http://host or me@host"),
        ("https://host:8443/a.zip: the server at me@x/y", "https://host:8443/a.zip: the server at me@x/y"),
    ],
)
def test_urls_within_a_longer_text_lose_their_secrets_and_the_text_stays(text: str, shown: str) -> None:
    assert without_credentials(text) == shown


@pytest.mark.parametrize(
    "value",
    [
        " https://me:secret@host/a",
        "\thttps://me:secret@host/a",
        "https://me:se\ncret@host/a",
        "ht\ntps://me:secret@host/a",
        "https:/\t/me:secret@host/a",
        "https://me:my secret@host/a",
        "https://host/a?sig=my\nsecret",
    ],
)
def test_a_parameter_that_is_no_good_url_is_recorded_without_its_secret(value: str) -> None:
    assert params_without_credentials(value) == "https://host/a"


def test_urls_anywhere_in_parameters_lose_their_credentials_and_nothing_else_changes() -> None:
    params = {"a": ["https://me:secret@host/a.zip?sig=secret", 3], "b": {"c": "a? b#c", "d": None}, "e": 0.5}
    cleaned = {"a": ["https://host/a.zip", 3], "b": {"c": "a? b#c", "d": None}, "e": 0.5}
    assert params_without_credentials(params) == cleaned
    assert params_without_credentials({"s3://k:secret@b": "me:secret@host/x"}) == {"s3://b": "host/x"}


@pytest.mark.parametrize(
    ("text", "url"), [(" https://host/a.zip\n", "https://host/a.zip"), (" /data/a b.zip ", "/data/a b.zip")]
)
def test_blanks_around_a_url_are_no_part_of_it(text: str, url: str) -> None:
    assert checked_url(text) == url


@pytest.mark.parametrize(
    "text",
    [
        "https://me:secret\n@host/a.zip",
        "ht\ttps://me:secret@host/a.zip",
        "https://me:sec/ret@host/a.zip",
        "https://me:sec#ret@host/a.zip",
        "https://me:sec?ret@host/a.zip",
        "https://me:sec ret@host/a.zip",
        "https://me:12/secret@host/a.zip",
        "s3://key:sec/ret@bucket/a.zip",
        "simplecache::https://me:sec/ret@host/a.zip",
        "https:me:secret@host/a.zip",
        "https:///me:secret@host",
        "https :// me:secret@host",
        "//me:secret@host/a.zip",
        "me:secret@host/a.zip",
    ],
)
def test_what_does_not_parse_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(LayoutError) as refusal:
        checked_url(text)
    assert not [part for part in ("secret", "sec", "ret@", "host/a") if part in str(refusal.value)]


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("postgresql://u:secret@h/db", True),
        ("postgresql://h/db?user=u&password=secret", True),
        ("postgresql://h/db?sslpassword=secret", True),
        ("mysql://h/db?passwd=secret", True),
        ("trino://h/db?access_token=secret", True),
        ("databricks://h/db?p%61ssword=secret", True),
        ("mssql+pyodbc:///?odbc_connect=DRIVER%3DX%3BUID%3Du%3BPWD%3Dsecret", True),
        ("postgresql://u@h/db?sslmode=require&passfile=/x&sslkey=/y", False),
        ("sqlite:////data/passwords.db", False),
    ],
)
def test_a_database_url_with_a_password_is_told_from_one_without(url: str, found: bool) -> None:
    assert names_password(url) is found


@pytest.mark.parametrize("text", ["QUJD/" * 100_000 + "://", "http:" * 20_000, "http://x/" * 10_000, "a:" * 50_000])
def test_long_texts_are_read_in_one_pass(text: str) -> None:
    assert without_credentials(text).startswith(text[:4])
