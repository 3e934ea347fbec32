r"""Compares ways to train on the validation part that is cut from the train split.

    python -m benchmarks.recipe --workspace DIR --profile fer2013 --epochs 8 \
        --variants benchmarks/recipe.toml [--write]

Each variant is the profile's train settings with some others. It is trained from scratch on the
examples and the transform graph of the workspace's last run, and judged on a tenth of the train
split that it is not trained on; the eval split is not read. What was measured is kept in
`recipe.json` beside the variants, with a digest of all train settings, so that a search that was
stopped goes on with the variants that are left. `--write` puts the table into benchmarks/README.md.
"""

import argparse
import json
import sys
import time
import tomllib
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from pydantic import ValidationError

from benchmarks.tables import markdown_table, replace_section
from pipeline import config
from pipeline.config import REPOSITORY, TrainSettings
from pipeline.errors import PipelineError, UserError
from pipeline.fingerprint import value_fingerprint
from pipeline.teacher import with_found_teacher
from pipeline.workspace import Workspace


def main() -> int:
    """Trains what is not measured yet; returns the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--workspace", type=Path, default=Path("workspace"))
    parser.add_argument("--profile", default="fer2013")
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--variants", type=Path, default=REPOSITORY / "benchmarks" / "recipe.toml")
    parser.add_argument("--write", action="store_true", help="into benchmarks/README.md")
    options = parser.parse_args()
    try:
        settings = config.load(options.profile)
        workspace = Workspace(options.workspace.absolute())
        variants = read_variants(options.variants, settings.train, options.epochs)
        results = options.variants.with_suffix(".json")
        measured = json.loads(results.read_text()) if results.exists() else {}
        for name, train in variants.items():
            key = f"{name}, {options.epochs} epochs"
            found_train, teacher = with_found_teacher(train)
            # A profile that changed since makes other settings of the same variant.
            dumped = train.model_dump() | ({"teacher": teacher} if teacher else {})
            fingerprint = value_fingerprint(dumped)
            if measured.get(key, {}).get("settings") != fingerprint:
                found = measure(workspace, found_train, settings.image.size)
                measured[key] = {"settings": fingerprint} | found
                results.write_text(json.dumps(measured, indent=1) + "\n", encoding="utf-8")
            print(f"{key}: {measured[key]}", flush=True)
        if options.write:
            readme = REPOSITORY / "benchmarks" / "README.md"
            replace_section(readme, "recipe", table(measured))
    except PipelineError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


def read_variants(path: Path, base: TrainSettings, epochs: int) -> dict[str, TrainSettings]:
    """Train settings by the variant's name.

    Args:
      path: TOML with a table for each variant, of train settings such as `dropout` or
        `augment.mixup` (nested or in quotes).
      base: What a variant does not set.
      epochs: Of every variant.

    Raises:
      UserError: The file can't be read, or a value does not fit.
    """
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"The file {path} can't be read: {error.strerror}.") from None
    except ValueError as error:
        raise UserError(f"The file {path} is not valid TOML: {error}.") from None
    # A teacher has trained on all but the part that it held back.
    held_out = base.validation_fraction if base.teacher else 0.1
    variants = {}
    for name, values in tables.items():
        try:
            variants[name] = base.with_values(
                {"validation_fraction": held_out} | _flat(values) | {"epochs": epochs}
            )
        except (ValidationError, KeyError) as error:
            raise UserError(f"The variant {name!r} of {path} does not fit: {error}.") from None
    return variants


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[prefix + key] = value
    return flat


def measure(workspace: Workspace, settings: TrainSettings, size: int) -> dict[str, float]:
    """Trains once; gives accuracies and losses of the last epoch, and the processor's time."""
    import tfx.v1  # noqa: F401, PLC0415
    import keras  # noqa: PLC0415

    from benchmarks import run_outputs  # noqa: PLC0415
    from pipeline import training_loop, training_setup  # noqa: PLC0415

    outputs = run_outputs.last_outputs(workspace, "Transform")
    examples = run_outputs.examples_of(outputs, "ImageExampleGen", "examples")
    fn_args = SimpleNamespace(
        schema_path=run_outputs.schema_path(outputs),
        transform_graph_path=outputs["Transform", "transform_graph"].uri,
        train_files=run_outputs.train_files(examples),
        data_accessor=run_outputs.accessor_of(examples),
        custom_config={"size": size},
    )
    keras.backend.clear_session()
    training_setup.configure(settings)
    data = training_setup.read_data(fn_args, settings)
    network = training_setup.compiled_network(settings, size, len(data.labels), data.steps)
    started = time.process_time()
    history = training_loop.fit(network, data, settings, [_print_epoch()]).history
    seconds = time.process_time() - started
    return {
        "accuracy": history["accuracy"][-1],
        "val_accuracy": history["val_accuracy"][-1],
        "val_loss": history["val_loss"][-1],
        "parameters": network.count_params(),
        "cpu_seconds_an_epoch": round(seconds / settings.epochs, 1),
    }


def _print_epoch() -> Any:
    import keras  # noqa: PLC0415

    return keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: print(
            f"  epoch {epoch + 1}: "
            + ", ".join(f"{name} {value:.4f}" for name, value in logs.items()),
            flush=True,
        )
    )


def table(measured: Mapping[str, Mapping[str, Any]]) -> str:
    """What was measured as Markdown, best first."""
    rows = [
        [
            name,
            f"{values['val_accuracy']:.4f}",
            f"{values['val_loss']:.3f}",
            f"{values['accuracy']:.4f}",
            f"{values['parameters'] / 1e6:.2f}",
            f"{values['cpu_seconds_an_epoch']:.0f}",
        ]
        for name, values in sorted(measured.items(), key=lambda item: -item[1]["val_accuracy"])
    ]
    head = [
        "Variant",
        "Validation accuracy",
        "Validation loss",
        "Train accuracy",
        "Parameters, million",
        "CPU seconds an epoch",
    ]
    return markdown_table(head, rows)


if __name__ == "__main__":
    sys.exit(main())
