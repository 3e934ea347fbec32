"""TFLiteEvaluator: a component that gates TFLite models against their SavedModel."""

from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import BaseChannel, Channel, component_spec, standard_artifacts

from components.artifacts import EdgeBlessing, EdgeEvaluation, EdgeModel
from components.tflite_evaluator import executor


class TFLiteEvaluatorSpec(component_spec.ComponentSpec):
    """Parameters, inputs and outputs of `TFLiteEvaluator`."""

    PARAMETERS = {  # noqa: RUF012  (as TFX declares it)
        "max_accuracy_drop": component_spec.ExecutionParameter(type=float),
        "max_probability_difference": component_spec.ExecutionParameter(type=float),
        "code_fingerprint": component_spec.ExecutionParameter(type=str),
    }
    INPUTS = {  # noqa: RUF012
        "model": component_spec.ChannelParameter(type=standard_artifacts.Model),
        "edge_model": component_spec.ChannelParameter(type=EdgeModel),
        "examples": component_spec.ChannelParameter(type=standard_artifacts.Examples),
    }
    OUTPUTS = {  # noqa: RUF012
        "blessing": component_spec.ChannelParameter(type=EdgeBlessing),
        "evaluation": component_spec.ChannelParameter(type=EdgeEvaluation),
    }


class TFLiteEvaluator(base_component.BaseComponent):
    """Blesses TFLite models that do as well as the SavedModel they were made from.

    Stands in for TFX's `Evaluator`, which cannot judge them: TFMA feeds a TFLite model the
    example features that have its inputs' names, and here the examples hold encoded images while
    the models take pixels. TFMA fills absent inputs with a default, and has none for uint8. It
    would also judge the TFLite model against thresholds of its own, not against the SavedModel's
    answer to the same image.

    The int8 model is blessed if it loses at most `max_accuracy_drop` against the SavedModel on
    the same eval examples, and the float32 model gives the SavedModel's probabilities. Nothing
    that was not converted is blessed.

    Outputs:
        `blessing`: `EdgeBlessing` with the file `BLESSED` or `NOT_BLESSED` and the custom
            property `blessed`, 1 or 0, as the Evaluator's.
        `evaluation`: `EdgeEvaluation` with `edge_evaluation.json`, an `EdgeReport`.
    """

    SPEC_CLASS = TFLiteEvaluatorSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(executor.Executor)

    def __init__(
        self,
        *,
        model: BaseChannel,
        edge_model: BaseChannel,
        examples: BaseChannel,
        max_accuracy_drop: float = 0.01,
        max_probability_difference: float = 1e-3,
        code_fingerprint: str = "",
    ) -> None:
        """Constructs the component.

        Args:
            model: the SavedModel that was converted.
            edge_model: the TFLite models, from `TFLiteConverter`.
            examples: examples with an eval split.
            max_accuracy_drop: most accuracy, in [0, 1], that int8 may lose.
            max_probability_difference: largest distance of a probability of float32.
            code_fingerprint: digest of the code that this component runs.
        """
        super().__init__(
            TFLiteEvaluatorSpec(
                model=model,
                edge_model=edge_model,
                examples=examples,
                max_accuracy_drop=max_accuracy_drop,
                max_probability_difference=max_probability_difference,
                code_fingerprint=code_fingerprint,
                blessing=Channel(type=EdgeBlessing),
                evaluation=Channel(type=EdgeEvaluation),
            )
        )
