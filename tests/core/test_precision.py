"""What a network computes with."""

import os
import platform
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import pytest
import tensorflow as tf

from pipeline import precision, training_setup
from pipeline.config import REPOSITORY, TrainSettings
from pipeline.model import build_model
from pipeline.train_record import read_train_settings, write_train_settings

_CONVOLUTION = """
import pipeline
import tensorflow as tf
tf.function(tf.nn.conv2d)(tf.ones((1, 8, 8, 8)), tf.ones((3, 3, 8, 8)), 1, "SAME")
"""

Machine = Callable[..., None]


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """A machine as Linux and TensorFlow describe it."""

    def described(
        flags: str | None = None,
        gpus: tuple[dict[str, Any], ...] = (),
        vendor: str = "AuthenticAMD",
    ) -> None:
        path = tmp_path / "cpuinfo"
        if flags is not None:
            path.write_text(
                f"processor\t: 0\nvendor_id\t: {vendor}\n"
                f"flags\t\t: fpu {flags} sse\nbugs\t\t: none\n"
            )
        monkeypatch.setattr(precision, "_CPU_INFO", path)
        monkeypatch.setattr(tf.config, "list_physical_devices", lambda _: gpus)
        monkeypatch.setattr(tf.config.experimental, "get_device_details", lambda gpu: gpu)

    return described


def _settings(**values: Any) -> TrainSettings:
    return TrainSettings.model_validate({"jit_compile": False, **values})


@pytest.mark.parametrize(
    ("vendor", "flags", "expected"),
    [
        ("AuthenticAMD", "avx2 avx512f avx512_bf16", "bfloat16"),
        ("AuthenticAMD", "avx2 avx512f avx512_vnni", "float32"),
        ("AuthenticAMD", "avx2", "float32"),
        ("GenuineIntel", "avx512f avx512_bf16 amx_bf16 amx_tile", "bfloat16"),
        ("GenuineIntel", "avx2 avx512f avx512_bf16", "float32"),
        ("", None, "float32"),
    ],
)
def test_a_cpu_computes_in_bfloat16_where_its_instructions_for_it_are_faster(
    machine: Machine, vendor: str, flags: str | None, expected: str
) -> None:
    machine(flags, vendor=vendor)
    assert precision.of_network(_settings()) == precision.of_cpu(_settings()) == expected


def test_xla_on_a_cpu_computes_in_float32(machine: Machine) -> None:
    machine("avx512_bf16")
    assert precision.of_network(_settings(jit_compile=True)) == "float32"


@pytest.mark.parametrize(
    ("gpus", "expected"),
    [
        (({"compute_capability": (8, 0)},), "bfloat16"),
        (({"compute_capability": (9, 0)}, {"compute_capability": (7, 5)}), "float16"),
        (({"device_name": "METAL"},), "float16"),
    ],
)
def test_gpus_compute_in_the_half_precision_that_all_of_them_have(
    machine: Machine, gpus: tuple[dict[str, Any], ...], expected: str
) -> None:
    machine("avx2", gpus)
    assert precision.of_network(_settings(jit_compile=True)) == expected
    assert precision.of_cpu(_settings()) == "float32"


@pytest.mark.parametrize("named", ["float16", "bfloat16", "float32"])
@pytest.mark.parametrize("gpus", [(), ({"compute_capability": (9, 0)},)])
def test_a_precision_that_is_named_is_taken(
    machine: Machine, named: str, gpus: tuple[dict[str, Any], ...]
) -> None:
    machine("avx512_bf16", gpus)
    assert precision.of_network(_settings(precision=named)) == named


@pytest.mark.parametrize(
    ("flags", "policy"), [("avx512_bf16", "mixed_bfloat16"), ("avx2", "float32")]
)
def test_layers_are_built_with_it_and_logits_are_float32(
    machine: Machine, flags: str, policy: str
) -> None:
    machine(flags)
    settings = _settings(filters=[4])
    try:
        training_setup.configure(settings)
        assert keras.mixed_precision.global_policy().name == policy
        assert build_model(settings, 16, 3)(tf.zeros([2, 16, 16, 1])).dtype == tf.float32
    finally:
        keras.mixed_precision.set_global_policy("float32")


def test_a_training_is_recorded_with_the_precision_that_was_found(
    machine: Machine, tmp_path: Path
) -> None:
    machine("avx512_bf16")
    write_train_settings(tmp_path, _settings(), "")
    assert read_train_settings(tmp_path)["precision"] == "bfloat16"


@pytest.mark.skipif(platform.machine() != "x86_64", reason="TensorFlow decides on other machines")
@pytest.mark.parametrize(("asked", "expected"), [(None, True), ("0", False)])
def test_networks_compute_with_onednn_unless_told(asked: str | None, expected: bool) -> None:
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "", "ONEDNN_VERBOSE": "1"}
    environment.pop("TF_ENABLE_ONEDNN_OPTS", None)
    if asked is not None:
        environment["TF_ENABLE_ONEDNN_OPTS"] = asked
    told = subprocess.run(
        [sys.executable, "-c", _CONVOLUTION],
        cwd=REPOSITORY,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert ("exec,cpu,convolution" in told.stdout) is expected
