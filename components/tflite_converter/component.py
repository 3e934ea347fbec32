"""TFLiteConverter: a component that turns a blessed SavedModel into TFLite models."""

from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import BaseChannel, Channel, component_spec, standard_artifacts

from components.artifacts import EdgeModel
from components.tflite_converter import executor


class TFLiteConverterSpec(component_spec.ComponentSpec):
    """Parameters, inputs and outputs of `TFLiteConverter`."""

    PARAMETERS = {  # noqa: RUF012  (as TFX declares it)
        "representative_images": component_spec.ExecutionParameter(type=int),
        "seed": component_spec.ExecutionParameter(type=int),
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
        "edge_model": component_spec.ChannelParameter(type=EdgeModel),
    }


class TFLiteConverter(base_component.BaseComponent):
    """Writes a float32 and a full integer TFLite model of a blessed SavedModel.

    Stands in for TFX's `TFLiteRewriter` inside the Trainer, which converts before anything is
    known of the model's quality, deletes `assets/` and with it the labels, and whose full
    integer models keep float inputs and outputs. Here both models take raw uint8 pixels of any
    number of images, with normalization inside, and have a named signature:

    - `model_float32.tflite`: `pixels` uint8[n, h, w, 1] to `probabilities` float32[n, c];
    - `model_int8.tflite`: `pixels` uint8[n, h, w, 1] to `probabilities` uint8[n, c], a
      probability being `(value - zero_point) * scale` of the output tensor (0 and 1/256);
    - `labels.txt`: class names in the order of the probabilities, one a line.

    The input tensor is stored with one image; `resize_tensor_input` takes it to n.

    Outputs:
        `edge_model`: `EdgeModel`, the files in its serving folder; empty, with
        the custom property `converted` at 0, if the model was not blessed.
    """

    SPEC_CLASS = TFLiteConverterSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(executor.Executor)

    def __init__(
        self,
        *,
        model: BaseChannel,
        examples: BaseChannel,
        model_blessing: BaseChannel | None = None,
        representative_images: int = 300,
        seed: int = 0,
        code_fingerprint: str = "",
    ) -> None:
        """Constructs the component.

        Args:
            model: SavedModel with the signature `pixels`; where it has `device_pixels` too, that
                one is converted.
            examples: examples with a train split, from which the representative set is drawn.
            model_blessing: without it the model counts as blessed.
            representative_images: how many train images set the quantisation ranges.
            seed: seed of their draw.
            code_fingerprint: digest of the code that this component runs.
        """
        super().__init__(
            TFLiteConverterSpec(
                model=model,
                examples=examples,
                model_blessing=model_blessing,
                representative_images=representative_images,
                seed=seed,
                code_fingerprint=code_fingerprint,
                edge_model=Channel(type=EdgeModel),
            )
        )
