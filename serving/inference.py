"""The inference calls of PredictionService on one acquired version.

Both protocols and the warm-up end here. Error sentences are those of TensorFlow Serving's
`predict_util.cc`, `classifier.cc`, `regressor.cc` and `multi_inference.cc`.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from serving import tensor_codec
from serving.deadline import NO_DEADLINE, Deadline
from serving.errors import ServingError, StatusCode, invalid_argument
from serving.limits import Limits
from serving.metrics import Metrics
from serving.servable import Servable
from serving.signature import CLASSIFY, REGRESS, Signature


@dataclass(frozen=True)
class Inference:
    """Answers requests, within bounds and counted."""

    limits: Limits = field(default_factory=Limits)
    metrics: Metrics = field(default_factory=Metrics)
    check_method_name: bool = False

    def run(
        self,
        servable: Servable,
        signature: Signature,
        feeds: Mapping[str, np.ndarray],
        api: str,
        deadline: Deadline = NO_DEADLINE,
    ) -> dict[str, np.ndarray]:
        """Runs a signature; `api` labels its latency.

        Raises:
          ServingError: an input breaks a bound or does not fit, nobody waits for the answer any
            more, or the graph failed.
        """
        self.limits.check(feeds)
        seconds_left = deadline.seconds_left()
        started = time.perf_counter()
        outputs = signature.run(feeds, seconds_left)
        self.metrics.observe_run(servable.name, api, time.perf_counter() - started)
        return outputs

    def predict(
        self,
        servable: Servable,
        request: Any,
        response: Any,
        deadline: Deadline = NO_DEADLINE,
    ) -> None:
        """Answers a PredictRequest."""
        name, signature = servable.signature_for_predict(request.model_spec.signature_name)
        fill_model_spec(response.model_spec, servable, name)
        check_inputs(signature, request.inputs)
        aliases = output_aliases(signature, request.output_filter)
        feeds = {
            alias: tensor_codec.decode(alias, proto, self.limits.max_request_bytes)
            for alias, proto in request.inputs.items()
        }
        outputs = self.run(servable, signature, feeds, "Predict", deadline)
        for alias in aliases:
            tensor_codec.encode(outputs[alias], response.outputs[alias])

    def classify(
        self,
        servable: Servable,
        request: Any,
        response: Any,
        deadline: Deadline = NO_DEADLINE,
    ) -> None:
        """Answers a ClassificationRequest."""
        name, signature = servable.signature_for_examples(request.model_spec.signature_name)
        fill_model_spec(response.model_spec, servable, name)
        self._classify(servable, signature, request.input, response.result, deadline)

    def regress(
        self,
        servable: Servable,
        request: Any,
        response: Any,
        deadline: Deadline = NO_DEADLINE,
    ) -> None:
        """Answers a RegressionRequest."""
        name, signature = servable.signature_for_examples(request.model_spec.signature_name)
        fill_model_spec(response.model_spec, servable, name)
        self._regress(servable, signature, request.input, response.result, deadline)

    def multi_inference(
        self,
        servable: Servable,
        request: Any,
        response: Any,
        deadline: Deadline = NO_DEADLINE,
    ) -> None:
        """Answers a MultiInferenceRequest, whose tasks all name this model."""
        for task in request.tasks:
            name, signature = servable.signature_for_examples(task.model_spec.signature_name)
            result = response.results.add()
            fill_model_spec(result.model_spec, servable, name)
            if task.method_name == CLASSIFY:
                filled = result.classification_result
                self._classify(servable, signature, request.input, filled, deadline)
            elif task.method_name == REGRESS:
                filled = result.regression_result
                self._regress(servable, signature, request.input, filled, deadline)
            else:
                raise ServingError(
                    StatusCode.UNIMPLEMENTED,
                    f"Unsupported signature method_name: {task.method_name}",
                )

    def _classify(
        self, servable: Servable, signature: Signature, given: Any, result: Any, deadline: Deadline
    ) -> None:
        self._check_method(signature, CLASSIFY, "classification")
        if not set(signature.outputs) & {"classes", "scores"}:
            raise ServingError(
                StatusCode.FAILED_PRECONDITION,
                "Expected classification signature outputs to contain at least one of "
                f'"classes" or "scores". Signature outputs were: {sorted(signature.outputs)}',
            )
        examples, outputs = self._run_examples(servable, signature, given, "Classify", deadline)
        columns = [outputs[key] for key in ("classes", "scores") if key in outputs]
        for column in columns:
            if column.ndim != 2 or column.shape != columns[0].shape:
                raise invalid_argument(
                    f"Expected Tensor shape: [batch_size num_classes] but got {list(column.shape)}"
                )
        classes, scores = outputs.get("classes"), outputs.get("scores")
        for row in range(len(examples)):
            classifications = result.classifications.add()
            for column_index in range(columns[0].shape[1]):
                item = classifications.classes.add()
                if classes is not None:
                    item.label = classes[row, column_index].decode("utf-8", "replace")
                if scores is not None:
                    item.score = scores[row, column_index]

    def _regress(
        self, servable: Servable, signature: Signature, given: Any, result: Any, deadline: Deadline
    ) -> None:
        self._check_method(signature, REGRESS, "regression")
        if "outputs" not in signature.outputs:
            raise ServingError(
                StatusCode.FAILED_PRECONDITION,
                "No regression outputs found in SignatureDef: outputs were "
                f"{sorted(signature.outputs)}",
            )
        examples, outputs = self._run_examples(servable, signature, given, "Regress", deadline)
        values = outputs["outputs"]
        if values.shape not in ((len(examples),), (len(examples), 1)):
            raise invalid_argument(
                "Expected output Tensor shape to be either [batch_size] or [batch_size, 1] but "
                f"got {list(values.shape)}"
            )
        for value in values.ravel().tolist():
            result.regressions.add(value=value)

    def _check_method(self, signature: Signature, method: str, what: str) -> None:
        if self.check_method_name and signature.method_name != method:
            raise invalid_argument(
                f"Expected {what} signature method_name to be {method}. "
                f"Was: {signature.method_name}"
            )
        if len(signature.inputs) != 1:
            raise invalid_argument("Expected one input Tensor.")
        if "inputs" not in signature.inputs:
            raise ServingError(
                StatusCode.FAILED_PRECONDITION,
                f"No {what} inputs found in SignatureDef: inputs were {sorted(signature.inputs)}",
            )

    def _run_examples(
        self, servable: Servable, signature: Signature, given: Any, api: str, deadline: Deadline
    ) -> tuple[list[bytes], dict[str, np.ndarray]]:
        examples = serialized_examples(given)
        values = np.empty(len(examples), dtype=object)
        values[:] = examples
        return examples, self.run(servable, signature, {"inputs": values}, api, deadline)


def serialized_examples(given: Any) -> list[bytes]:
    """Examples of an `Input`, each serialized with the context they share.

    Raises:
      ServingError: there are none.
    """
    if given.WhichOneof("kind") == "example_list_with_context":
        shared = given.example_list_with_context
        # Concatenated messages parse as one merged message.
        context = shared.context.SerializeToString()
        examples = [context + example.SerializeToString() for example in shared.examples]
    else:
        examples = [example.SerializeToString() for example in given.example_list.examples]
    if not examples:
        raise invalid_argument("Input is empty.")
    return examples


def fill_model_spec(model_spec: Any, servable: Servable, signature_name: str) -> None:
    """Says which version and signature answered."""
    model_spec.name = servable.name
    model_spec.version.value = servable.version
    model_spec.signature_name = signature_name


def check_inputs(signature: Signature, given: Mapping[str, Any]) -> None:
    """Checks that a request names the inputs of the signature, all of them and no other.

    Raises:
      ServingError: INVALID_ARGUMENT.
    """
    expected, sent = sorted(signature.inputs), sorted(given)
    if len(sent) != len(expected):
        extra, missing = sorted(set(sent) - set(expected)), sorted(set(expected) - set(sent))
        raise invalid_argument(
            f"input size does not match signature: {len(sent)}!={len(expected)} "
            f"len({{{','.join(sent)}}}) != len({{{','.join(expected)}}}). "
            f"Sent extra: {{{','.join(extra)}}}. Missing but required: {{{','.join(missing)}}}."
        )
    for alias in sent:
        if alias not in signature.inputs:
            raise invalid_argument(
                f"input tensor alias not found in signature: {alias}. "
                f"Inputs expected to be in the set {{{','.join(expected)}}}."
            )


def output_aliases(signature: Signature, output_filter: Any) -> list[str]:
    """Names of the outputs to answer with; all of them without a filter.

    Raises:
      ServingError: INVALID_ARGUMENT, for an unknown or repeated name.
    """
    aliases: list[str] = []
    for alias in output_filter:
        if alias not in signature.outputs:
            raise invalid_argument(
                f"output tensor alias not found in signature: {alias} "
                f"Outputs expected to be in the set {{{','.join(signature.outputs)}}}."
            )
        if alias in aliases:
            raise invalid_argument(f"duplicate output tensor alias: {alias}")
        aliases.append(alias)
    return aliases or list(signature.outputs)
