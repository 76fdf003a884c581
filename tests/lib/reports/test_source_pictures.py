"""Pictures that a page chooses by its light or width stay in reports; what would be fetched does not."""

from sinara_lib.reports.page_safety import clean_html


def test_a_picture_for_dark_pages_stays_and_one_of_another_address_goes() -> None:
    source = '<source media="(prefers-color-scheme: dark)" srcset="data:image/png;base64,AA==">'
    picture = f'<picture>{source}<img alt="x"></picture>'
    assert clean_html(picture) == picture
    for address in ("https://example.com/a.png", "data:image/png;base64,AA==, https://example.com/a.png 2x"):
        assert "example.com" not in clean_html(f'<picture><source srcset="{address}"></picture>')
