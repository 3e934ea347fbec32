"""An edited model config file: what was refused is tried again, and told once."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from serving.config_watch import ConfigWatch
from serving.errors import ServingError, invalid_argument, not_found


class Config:
    """A file and the server it configures, which refuses what it is told to."""

    def __init__(self) -> None:
        self.file = "old"
        self.refusals: dict[str, ServingError] = {}
        self.applied: list[str] = []
        self.in_force = self.file
        self.watch = ConfigWatch(lambda: self.file, self.apply, lambda: self.in_force)

    def apply(self, config: Any) -> None:
        self.applied.append(config)
        if config in self.refusals:
            raise self.refusals[config]
        self.in_force = config


@pytest.fixture
def config() -> Config:
    return Config()


def test_only_a_file_that_differs_is_applied(config: Config) -> None:
    config.watch.look()
    config.file = "new"
    config.watch.look()
    config.watch.look()
    assert config.applied == ["new"]


def test_the_file_takes_the_place_of_what_was_applied_past_it(config: Config) -> None:
    config.apply("over gRPC")
    config.watch.look()
    config.watch.look()
    assert config.applied == ["over gRPC", "old"]


def test_a_config_that_was_refused_is_tried_until_it_is_taken(config: Config) -> None:
    config.file, config.refusals = "new", {"new": not_found("not yet")}
    config.watch.look()
    config.watch.look()
    config.refusals.clear()
    config.watch.look()
    config.watch.look()
    assert config.applied == ["new", "new", "new"]


def test_a_failure_is_told_again_only_when_it_changes(
    config: Config, caplog: pytest.LogCaptureFixture
) -> None:
    def told() -> list[str]:
        with caplog.at_level(logging.ERROR):
            config.watch.look()
        messages = [record.getMessage() for record in caplog.records]
        caplog.clear()
        return messages

    config.file, config.refusals = "new", {"new": not_found("not yet")}
    assert told() == ["The model config was not reloaded: NOT_FOUND: not yet"]
    assert told() == []
    config.refusals = {"new": invalid_argument("wrong")}
    assert told() == ["The model config was not reloaded: INVALID_ARGUMENT: wrong"]
    config.file = "old"
    assert told() == []
    config.file = "new"
    assert told() == ["The model config was not reloaded: INVALID_ARGUMENT: wrong"]
