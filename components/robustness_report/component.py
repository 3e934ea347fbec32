"""RobustnessReport: a component that measures what changes of the images cost a model."""

from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import BaseChannel, Channel, component_spec, standard_artifacts

from components.artifacts import RobustnessBlessing, RobustnessEvaluation
from components.robustness_report import executor


class RobustnessReportSpec(component_spec.ComponentSpec):
    """Parameters, inputs and outputs of `RobustnessReport`."""

    PARAMETERS = {  # noqa: RUF012  (as TFX declares it)
        "num_images": component_spec.ExecutionParameter(type=int),
        "max_drop": component_spec.ExecutionParameter(type=float),
        "gate": component_spec.ExecutionParameter(type=int),
        "code_fingerprint": component_spec.ExecutionParameter(type=str),
    }
    INPUTS = {  # noqa: RUF012
        "model": component_spec.ChannelParameter(type=standard_artifacts.Model),
        "examples": component_spec.ChannelParameter(type=standard_artifacts.Examples),
        "model_blessing": component_spec.ChannelParameter(
            type=standard_artifacts.ModelBlessing, optional=True
        ),
    }
    OUTPUTS = {  # noqa: RUF012
        "evaluation": component_spec.ChannelParameter(type=RobustnessEvaluation),
        "blessing": component_spec.ChannelParameter(type=RobustnessBlessing),
    }


class RobustnessReport(base_component.BaseComponent):
    """Measures a model's accuracy on eval images that are darker, blurred, turned, covered.

    Slices of TFX's `Evaluator` cannot tell this: TFMA slices the examples that it is given by
    their features, and no example is a changed one. Changed copies of the eval split would have
    to be written as examples, sixteen times the split, and would then count in every overall
    metric, in the thresholds and in the comparison with the latest blessed model. TFMA's
    `preprocessing_function_names` changes examples without copies, but for a whole model
    specification and not for a slice, and by functions saved in the model.

    Here a sample of the eval split is changed in memory, in each way of
    `components.robustness_report.perturbations`, and the exported model is asked through its
    signature `pixels`. All figures are of the same images, so that their differences are the
    changes' doing. Nothing that the Evaluator has not blessed is measured.

    Outputs:
        `evaluation`: `RobustnessEvaluation` with `robustness.json`, `RobustnessResults`, and
            `robustness.png`.
        `blessing`: `RobustnessBlessing` with the file `BLESSED` or `NOT_BLESSED` and the custom
            property `blessed`, 1 or 0, as the Evaluator's. With `gate`, a drop above `max_drop`
            is not blessed; without, what was measured is.
    """

    SPEC_CLASS = RobustnessReportSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(executor.Executor)

    def __init__(
        self,
        *,
        model: BaseChannel,
        examples: BaseChannel,
        model_blessing: BaseChannel | None = None,
        num_images: int = 1000,
        max_drop: float = 0.25,
        gate: bool = False,
        code_fingerprint: str = "",
    ) -> None:
        """Constructs the component.

        Args:
            model: the SavedModel.
            examples: examples with an eval split.
            model_blessing: of an Evaluator; a model that is not blessed is not measured.
            num_images: images drawn from the eval split; all, if it has fewer.
            max_drop: most accuracy, in [0, 1], that any change may cost.
            gate: whether a drop above `max_drop` withholds the blessing.
            code_fingerprint: digest of the code that this component runs.
        """
        super().__init__(
            RobustnessReportSpec(
                model=model,
                examples=examples,
                model_blessing=model_blessing,
                num_images=num_images,
                max_drop=max_drop,
                gate=int(gate),
                code_fingerprint=code_fingerprint,
                evaluation=Channel(type=RobustnessEvaluation),
                blessing=Channel(type=RobustnessBlessing),
            )
        )
