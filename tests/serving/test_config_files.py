"""TensorFlow Serving's configuration files and their validity rules."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.errors import UserError
from serving.config_files import (
    PROMETHEUS_PATH,
    BatchingOptions,
    read_batching_options,
    read_metrics_path,
    read_model_config,
)


def write(folder: Path, text: str) -> str:
    path = folder / "file.config"
    path.write_text(text)
    return str(path)


def models(*entries: str) -> str:
    return "model_config_list { " + " ".join(f"config {{ {each} }}" for each in entries) + " }"


GOOD = 'name: "a" base_path: "/a" model_platform: "tensorflow"'


def test_a_model_config_is_read(tmp_path: Path) -> None:
    config = read_model_config(write(tmp_path, models(GOOD)))
    assert [each.name for each in config.model_config_list.config] == ["a"]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (models(GOOD, GOOD), "Illegal to list model a multiple times in config list"),
        (
            models('name: "a" base_path: "a" model_platform: "tensorflow"'),
            "Expected model a to have an absolute path or URI; got base_path()=a",
        ),
        (models('name: "a" base_path: "/a"'), "Illegal setting neither"),
        (
            models('name: "a" base_path: "/a" model_platform: "caffe"'),
            "requests unsupported platform caffe",
        ),
        (models(GOOD + " colour: 1"), "colour"),
        (models(GOOD + " logging_config { sampling_config { } }"), "has no filename_prefix"),
        (
            models(
                GOOD + ' logging_config { log_collector_config { filename_prefix: "/l" } '
                "sampling_config { sampling_rate: 2 } }"
            ),
            "sampling_rate outside 0 to 1",
        ),
        ("custom_model_config { }", "does not yet support custom model config"),
    ],
)
def test_a_wrong_model_config_is_told(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(UserError) as caught:
        read_model_config(write(tmp_path, text))
    assert sentence in str(caught.value)


def test_a_missing_file_is_named() -> None:
    with pytest.raises(UserError, match="/no/such/file cannot be read: No such file"):
        read_model_config("/no/such/file")


def test_batching_defaults_are_those_of_the_scheduler() -> None:
    assert read_batching_options("") == BatchingOptions(1000, 0, 10)


def test_batching_parameters_are_read(tmp_path: Path) -> None:
    text = """
      max_batch_size { value: 32 } batch_timeout_micros { value: 1000 }
      max_enqueued_batches { value: 100 } num_batch_threads { value: 2 }
      allowed_batch_sizes: 8 allowed_batch_sizes: 32
    """
    assert read_batching_options(write(tmp_path, text)) == BatchingOptions(
        32, 1000, 100, 2, (8, 32)
    )


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("max_batch_size { value: 0 }", "max_batch_size must be at least 1"),
        ("max_batch_size: 32", "max_batch_size"),
        ("num_batch_threads { value: 0 }", "num_batch_threads must be at least 1"),
        ("batch_timeout_micros { value: -1 }", "must not be negative"),
        ("max_batch_size { value: 8 } allowed_batch_sizes: [8, 4]", "must increase"),
        ("max_batch_size { value: 8 } allowed_batch_sizes: 4", "end with max_batch_size (8)"),
        ("pad_variable_length_inputs: true", "is not supported here"),
        ("batch_size { value: 8 }", "batch_size"),
    ],
)
def test_wrong_batching_parameters_are_told(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(UserError) as caught:
        read_batching_options(write(tmp_path, text))
    assert sentence in str(caught.value)


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("", ""),
        ("prometheus_config { }", ""),
        ("prometheus_config { enable: true }", PROMETHEUS_PATH),
        ('prometheus_config { enable: true path: "/m" }', "/m"),
    ],
)
def test_metrics_are_off_unless_enabled(tmp_path: Path, text: str, path: str) -> None:
    assert read_metrics_path(write(tmp_path, text)) == path
