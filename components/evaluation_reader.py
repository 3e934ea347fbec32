"""Reads what TFMA's Evaluator wrote: the metrics, and which thresholds were missed."""

from collections.abc import Iterator

from components.image_example_gen.report import printable
from pipeline.errors import UserError

_CANDIDATE = "candidate"
"""Name of the evaluated model where the Evaluator compares it with a baseline."""


def read_metrics(eval_dir: str) -> dict[str, float]:
    """Reads the evaluated model's scalar metrics.

    Args:
        eval_dir: URI of a `ModelEvaluation` artifact.

    Returns:
        Values by metric name, such as `accuracy`; those of a slice as `accuracy[label=happy]`,
        those of one class of a multi-class metric as `precision@3`, with the class's index.
        Differences from the baseline and metrics that are no single number are left out.

    Raises:
        UserError: the folder has no evaluation.
    """
    metrics = _scalars(eval_dir, is_diff=False)
    if not metrics:
        raise UserError(f"{eval_dir} holds no evaluation; evaluate again.")
    return metrics


def read_changes(eval_dir: str) -> dict[str, float]:
    """Reads by how much the evaluated model differs from the baseline.

    Args:
        eval_dir: URI of a `ModelEvaluation` artifact.

    Returns:
        Values by name as of `read_metrics`; empty if there was no baseline.
    """
    return _scalars(eval_dir, is_diff=True)


def missed_thresholds(eval_dir: str) -> list[str]:
    """Says which thresholds the evaluated model missed.

    Args:
        eval_dir: URI of a `ModelEvaluation` artifact.

    Returns:
        One sentence for each missed threshold; empty if the model passed.

    Raises:
        UserError: the folder has no validation result.
    """
    import tfx.v1  # noqa: F401, PLC0415  (before TFMA)
    import tensorflow_model_analysis as tfma  # noqa: PLC0415

    try:
        result = tfma.load_validation_result(eval_dir)
    except (OSError, ValueError, AssertionError):  # TFMA asserts that it found one result.
        raise UserError(f"{eval_dir} holds no validation result; evaluate again.") from None
    if result.validation_ok:
        return []
    sentences = [
        sentence
        for validation in result.metric_validations_per_slice
        for failure in validation.failures
        for sentence in _describe(failure, _slice_name(validation.slice_key))
    ]
    sentences += [
        f"No example was evaluated in the slice {_spec_name(spec)}."
        for spec in result.missing_slices
    ]
    if result.missing_thresholds:
        sentences.append("No threshold is set, so the model cannot be blessed.")
    # Classes are named by folders, which a terminal may take for commands.
    told = [printable(sentence) for sentence in sentences]
    return told or ["The evaluation did not pass, and gives no reason."]


def _scalars(eval_dir: str, is_diff: bool) -> dict[str, float]:
    """Returns single numbers of the evaluated model by name; empty if there is no evaluation."""
    import tfx.v1  # noqa: F401, PLC0415  (before TFMA)
    import tensorflow_model_analysis as tfma  # noqa: PLC0415

    found: dict[str, float] = {}
    try:
        for record in tfma.load_metrics(eval_dir):
            slice_name = _slice_name(record.slice_key)
            for item in record.metric_keys_and_values:
                if item.key.is_diff != is_diff or item.key.model_name not in ("", _CANDIDATE):
                    continue
                if item.value.WhichOneof("type") == "double_value":
                    found[_metric_name(item.key) + slice_name] = item.value.double_value.value
    except (OSError, ValueError):
        return {}
    return dict(sorted(found.items()))


def _describe(failure, slice_name: str) -> Iterator[str]:  # type: ignore[no-untyped-def]
    """Yields a sentence for each bound of a `ValidationFailure` proto that was missed."""
    name = _metric_name(failure.metric_key) + slice_name
    threshold = failure.metric_threshold
    if failure.metric_value.WhichOneof("type") != "double_value":
        yield f"{name} was not measured: {failure.message or 'the evaluation has no value'}."
        return
    value = failure.metric_value.double_value.value
    bounds = threshold.value_threshold
    if bounds.HasField("lower_bound") and not value >= bounds.lower_bound.value:
        yield f"{name} is {value:.4g}, below {bounds.lower_bound.value:.4g}."
    elif bounds.HasField("upper_bound") and not value <= bounds.upper_bound.value:
        yield f"{name} is {value:.4g}, above {bounds.upper_bound.value:.4g}."
    elif threshold.HasField("change_threshold"):
        change = threshold.change_threshold
        kind = "absolute" if change.HasField("absolute") else "relative"
        bound = getattr(change, kind).value
        # MetricDirection: 1 is lower-is-better, 2 is higher-is-better.
        limit = "least" if change.direction == 2 else "most"
        yield (
            f"{name} changed by {value:+.4g} against the latest blessed model,"
            f" where {bound:+.4g} is the {limit} allowed ({kind})."
        )
    else:
        yield f"{name} is {value:.4g}: {failure.message or 'a threshold was missed'}."


def _metric_name(key) -> str:  # type: ignore[no-untyped-def]
    """Returns the name in a `MetricKey` proto, with the class's index if it is of one class."""
    if key.HasField("sub_key") and key.sub_key.HasField("class_id"):
        return f"{key.name}@{key.sub_key.class_id.value}"
    return key.name


def _slice_name(slice_key) -> str:  # type: ignore[no-untyped-def]
    """Returns `[feature=value]` of a `SliceKey` proto, nothing for the slice of all examples."""
    pairs = []
    for single in slice_key.single_slice_keys:
        value = getattr(single, single.WhichOneof("kind") or "bytes_value")
        pairs.append(f"{single.column}={value.decode() if isinstance(value, bytes) else value}")
    return f"[{','.join(pairs)}]" if pairs else ""


def _spec_name(spec) -> str:  # type: ignore[no-untyped-def]
    """Returns the features of a `SlicingSpec` proto."""
    pairs = [f"{key}={value}" for key, value in sorted(spec.feature_values.items())]
    return ",".join([*spec.feature_keys, *pairs]) or "of all examples"
