"""The command line: tensorflow_model_server's flags, refused by name when not supported."""

from __future__ import annotations

import pytest

from pipeline.errors import UserError
from serving import channel_arguments
from serving.flags import UNSUPPORTED_FLAGS, parse_flags

BASE = "--model_base_path=/models/expression"


def test_defaults_are_those_of_tensorflow_model_server() -> None:
    options = parse_flags([BASE])
    assert (options.port, options.rest_api_port) == (8500, 0)
    assert options.model_name == "default"
    assert options.file_system_poll_wait_seconds == 1
    assert options.max_num_load_retries == 5
    assert options.load_retry_interval_micros == 60_000_000
    assert options.rest_api_timeout_in_ms == 30_000
    assert options.enable_model_warmup


def test_only_loopback_is_listened_on_unless_asked() -> None:
    assert parse_flags([BASE]).bind_address == "127.0.0.1"


def test_every_port_there_is_may_be_listened_on() -> None:
    options = parse_flags([BASE, "--port=65535", "--rest_api_port=1"])
    assert (options.port, options.rest_api_port) == (65535, 1)


@pytest.mark.parametrize("address", ["::1", "[::1]"])
def test_an_ipv6_address_may_be_given_in_brackets(address: str) -> None:
    assert parse_flags([BASE, f"--bind_address={address}"]).host == "::1"


@pytest.mark.parametrize("form", ["--enable_batching", "--enable_batching=true"])
def test_a_boolean_flag_may_stand_alone(form: str) -> None:
    assert parse_flags([BASE, form]).enable_batching


def test_a_boolean_flag_may_be_turned_off() -> None:
    assert not parse_flags([BASE, "--enable_model_warmup=false"]).enable_model_warmup


@pytest.mark.parametrize(("seconds", "polls"), [(1, True), (0, False), (-1, False)])
def test_the_model_config_file_is_polled_only_above_0(seconds: int, polls: bool) -> None:
    flag = f"--model_config_file_poll_wait_seconds={seconds}"
    assert parse_flags(["--model_config_file=/m", flag]).polls_model_config == polls
    assert not parse_flags([BASE, flag]).polls_model_config


def test_a_channel_argument_is_an_integer_if_it_reads_as_one() -> None:
    given = "grpc.a=2147483647,grpc.b=-2147483648,grpc.c=--1,grpc.d=\N{SUPERSCRIPT TWO},grpc.e="
    assert channel_arguments.parse(given) == {
        "grpc.a": 2147483647,
        "grpc.b": -2147483648,
        "grpc.c": "--1",
        "grpc.d": "\N{SUPERSCRIPT TWO}",
        "grpc.e": "",
    }


@pytest.mark.parametrize("name", UNSUPPORTED_FLAGS)
def test_an_unsupported_flag_is_refused_by_name(name: str) -> None:
    with pytest.raises(UserError, match=f"--{name} is a flag of tensorflow_model_server"):
        parse_flags([BASE, f"--{name}=1"])


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        ([BASE, "--no_such_flag=1"], "no_such_flag"),
        ([BASE, "--rest_api_por=1"], "rest_api_por"),
        ([BASE, "--port=abc"], "invalid int value: 'abc'"),
        ([BASE, "--enable_batching=maybe"], "neither true nor false"),
        ([], "--model_config_file or --model_base_path"),
        (["--model_base_path=models"], "is relative; give an absolute path"),
        ([BASE, "--batching_parameters_file=/b"], "needs --enable_batching"),
        ([BASE, "--port=99999"], "--port=99999 is no port; ports go from 0 to 65535."),
        ([BASE, "--port=-5"], "--port=-5 is no port"),
        ([BASE, "--rest_api_port=65536"], "--rest_api_port=65536 is no port"),
        ([BASE, "--port=8501", "--rest_api_port=8501"], "they must differ"),
        ([BASE, "--monitoring_config_file=/m"], "needs --rest_api_port"),
        ([BASE, "--max_instances=0"], "--max_instances must be at least 1"),
        (
            [BASE, "--tensorflow_intra_op_parallelism=2147483648"],
            "--tensorflow_intra_op_parallelism must be at most 2147483647.",
        ),
        (
            [BASE, "--max_request_bytes=2147483648"],
            "--max_request_bytes must be at most 2147483647.",
        ),
        (
            [BASE, "--grpc_channel_arguments=grpc.a=1,grpc.b=2147483648"],
            "--grpc_channel_arguments: 'grpc.b=2147483648' is beyond the 32 bits of an integer.",
        ),
        (
            [BASE, "--grpc_channel_arguments=grpc.a=-2147483649"],
            "'grpc.a=-2147483649' is beyond the 32 bits of an integer",
        ),
        ([BASE, "--grpc_channel_arguments=grpc.a"], "'grpc.a' is not key=value"),
        ([BASE, "--max_concurrent_requests=0"], "--max_concurrent_requests must be at least 1"),
        ([BASE, "--grpc_max_threads=-1"], "--grpc_max_threads must be at least 0"),
        ([BASE, "--rest_api_num_threads=-1"], "--rest_api_num_threads must be at least 0"),
        ([BASE, "--rest_api_timeout_in_ms=-1"], "--rest_api_timeout_in_ms must be at least 0"),
        ([BASE, "--drain_seconds=-1"], "--drain_seconds must be at least 0"),
        (
            [BASE, "--ports_file=/no/such/folder/ports.json"],
            "--ports_file=/no/such/folder/ports.json is in a folder that does not exist",
        ),
        ([BASE, "--saved_model_tags=,"], "--saved_model_tags is empty"),
        (
            [BASE, "--tensorflow_session_parallelism=2", "--tensorflow_intra_op_parallelism=2"],
            "Give either",
        ),
    ],
)
def test_a_mistake_is_told_in_one_sentence(flags: list[str], sentence: str) -> None:
    with pytest.raises(UserError) as caught:
        parse_flags(flags)
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)
