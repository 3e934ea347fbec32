"""What a network computes with: the fastest that the machine has, or what the settings say."""

from pathlib import Path
from typing import Literal

import tensorflow as tf

from pipeline.config import TrainSettings

Precision = Literal["float16", "bfloat16", "float32"]

_CPU_INFO = Path("/proc/cpuinfo")
# Linux's names of what oneDNN's bfloat16 kernels are written for.
_MATRICES = "amx_bf16"
_VECTORS = "avx512_bf16"
# Intel's vectors gain nothing from bfloat16: with AMX switched off, as in some virtual machines, an
# epoch took 1.6 times as long as in float32.
_VENDOR_OF_FAST_VECTORS = "AuthenticAMD"
# Ampere, the first of NVIDIA's architectures that computes in bfloat16.
_BFLOAT16_CAPABILITY = (8, 0)


def of_network(settings: TrainSettings) -> Precision:
    """The precision that a network trains in: on the GPUs, or without one on the CPU.

    Args:
      settings: `precision` and `jit_compile` are used.
    """
    gpus = tf.config.list_physical_devices("GPU")
    if settings.precision != "auto" or not gpus:
        return of_cpu(settings)
    details = [tf.config.experimental.get_device_details(gpu) for gpu in gpus]
    oldest = min(detail.get("compute_capability", (0, 0)) for detail in details)
    return "bfloat16" if oldest >= _BFLOAT16_CAPABILITY else "float16"


def of_cpu(settings: TrainSettings) -> Precision:
    """The precision of what is computed on the CPU, even beside a GPU.

    Args:
      settings: `precision` and `jit_compile` are used; with XLA, bfloat16 was not measured.
    """
    if settings.precision != "auto":
        return settings.precision
    return "bfloat16" if not settings.jit_compile and _computes_bfloat16() else "float32"


def _computes_bfloat16() -> bool:
    """Whether the CPU is faster in it than in float32; without instructions, a tenth as fast."""
    try:
        lines = _CPU_INFO.read_text(encoding="utf-8").splitlines()
    except OSError:
        return False
    flags = _first(lines, "flags").split()
    of_vendor = _first(lines, "vendor_id") == _VENDOR_OF_FAST_VECTORS
    return _MATRICES in flags or (of_vendor and _VECTORS in flags)


def _first(lines: list[str], key: str) -> str:
    """What the first CPU's line of that name says."""
    rows = (line.partition(":") for line in lines)
    return next((value.strip() for name, _, value in rows if name.strip() == key), "")
