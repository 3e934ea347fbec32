"""ServingCheck: a component that serves the candidate before it is pushed."""

from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import BaseChannel, Channel, component_spec, standard_artifacts

from components.serving_check import executor


class ServingCheckSpec(component_spec.ComponentSpec):
    """Parameters, inputs and outputs of `ServingCheck`."""

    PARAMETERS = {  # noqa: RUF012  (as TFX declares it)
        "num_images": component_spec.ExecutionParameter(type=int),
        "max_latency_ms": component_spec.ExecutionParameter(type=float),
        "max_memory_mb": component_spec.ExecutionParameter(type=int),
        "startup_timeout_s": component_spec.ExecutionParameter(type=float),
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
        "blessing": component_spec.ChannelParameter(type=standard_artifacts.InfraBlessing),
    }


class ServingCheck(base_component.BaseComponent):
    """Serves the candidate in a process of its own and asks it about real images.

    Stands in for TFX's `InfraValidator`, which needs Docker or Kubernetes and asks only whether
    the server answers: it compares no answer, and bounds neither latency nor memory.

    Here the embedded server, which loads a SavedModel as TensorFlow Serving's C++ loader does,
    answers images of the eval split over gRPC and REST. The answers must be those of the model
    in-process, without NaN, in time and within memory, and the server must survive bytes that are
    no image. A model that fails makes no run fail: it gets a negative blessing, with which a
    Pusher pushes nothing.

    Outputs:
        `blessing`: `InfraBlessing` with the InfraValidator's custom property `blessed` (1 or 0)
            and its file `INFRA_BLESSED` or `INFRA_NOT_BLESSED`; `serving_check.json` beside it
            says why, in one sentence for each reason.
    """

    SPEC_CLASS = ServingCheckSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(executor.Executor)

    def __init__(
        self,
        *,
        model: BaseChannel,
        examples: BaseChannel,
        model_blessing: BaseChannel | None = None,
        num_images: int = 64,
        max_latency_ms: float = 250.0,
        max_memory_mb: int = 2048,
        startup_timeout_s: float = 120.0,
        code_fingerprint: str = "",
    ) -> None:
        """Constructs the component.

        Args:
            model: the candidate.
            examples: examples with an `eval` split of images.
            model_blessing: of an Evaluator; a model that is not blessed is not served.
            num_images: images sent, each over both protocols.
            max_latency_ms: longest 95th percentile of one image, in milliseconds, by protocol.
            max_memory_mb: most memory the server may hold, in MiB.
            startup_timeout_s: time to load the model, in seconds.
            code_fingerprint: changes when the code does, so that no stale result is reused.
        """
        super().__init__(
            spec=ServingCheckSpec(
                model=model,
                examples=examples,
                model_blessing=model_blessing,
                blessing=Channel(type=standard_artifacts.InfraBlessing),
                num_images=num_images,
                max_latency_ms=max_latency_ms,
                max_memory_mb=max_memory_mb,
                startup_timeout_s=startup_timeout_s,
                code_fingerprint=code_fingerprint,
            )
        )
