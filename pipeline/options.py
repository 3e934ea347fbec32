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
    parser.add_argument(
        "--data",
        metavar="PATH",
        help="zip, folder or fer2013.csv of labelled images, {SPAN} and {VERSION} allowed; "
        "without it, a sample is drawn",
    )
    parser.add_argument(
        "--profile",
        metavar="NAME",
        help=f"settings to start from: {', '.join(config.profiles())} "
        "(default: sample, when no data is given)",
    )
    parser.add_argument("--config", metavar="FILE.toml", type=Path, help="settings file")
    parser.add_argument(
        "--set",
        metavar="section.key=value",
        action="append",
        default=[],
        help="one setting; may be repeated; wins over the file",
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
