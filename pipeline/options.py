"""The options that every command line of the project takes: the settings, and the data."""

import argparse
from pathlib import Path
from typing import NoReturn

from pipeline import config
from pipeline.errors import UserError


class Parser(argparse.ArgumentParser):
    """Answers a wrong option as any other mistake; argparse's own exit code, 2, is bad data's."""

    def error(self, message: str) -> NoReturn:
        """Raises a UserError with the message."""
        raise UserError(f"{message[0].upper()}{message[1:]}; --help lists the options.")


def add_settings_options(parser: argparse.ArgumentParser) -> None:
    """Adds `--data`, `--profile`, `--config` and `--set`."""
    add_data_option(parser, otherwise="a sample is drawn")
    parser.add_argument(
        "--profile",
        metavar="NAME",
        help=f"settings to start from: {', '.join(config.profiles())} "
        "(default: sample, when no data is given)",
    )
    parser.add_argument("--config", metavar="FILE.toml", type=Path, help="settings file")
    add_set_option(parser, "one setting; may be repeated; wins over the file")


def add_data_option(parser: argparse.ArgumentParser, otherwise: str) -> None:
    """Adds `--data`; `otherwise` says what is taken without it."""
    parser.add_argument(
        "--data",
        metavar="PATH",
        help="zip, folder or fer2013.csv of labelled images, {SPAN} and {VERSION} allowed; "
        f"without it, {otherwise}",
    )


def add_set_option(parser: argparse.ArgumentParser, meaning: str) -> None:
    """Adds `--set`, with what it means here."""
    parser.add_argument(
        "--set", metavar="section.key=value", action="append", default=[], help=meaning
    )


def add_workspace_option(parser: argparse.ArgumentParser) -> None:
    """Adds `--workspace`."""
    parser.add_argument(
        "--workspace",
        metavar="DIR",
        type=Path,
        default=Path("workspace"),
        help="where everything is kept (default: workspace)",
    )


def load_settings(options: argparse.Namespace, sample: bool = True) -> config.Settings:
    """The settings that the options of `add_settings_options` give.

    Args:
      options: Parsed options.
      sample: Start from the drawn sample's profile when neither data nor a profile is named.

    Raises:
      UserError: As `config.load`.
    """
    profile = options.profile
    if profile is None and options.data is None and sample:
        profile = "sample"
    return config.load(profile, options.config, options.set)
