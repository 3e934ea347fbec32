"""The table of settings in the documentation is that of the code."""

from pipeline.settings_table import PAGE, markdown


def test_the_page_follows_the_settings() -> None:
    assert PAGE.read_text(encoding="utf-8") == markdown()
