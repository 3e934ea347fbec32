"""TFX's Trainer, with the number of epochs as a parameter of its own.

TFX sets parameters of a run whole, and a Trainer's settings are one text, `custom_config`.
"""

import json
from typing import Any

from tfx import types
from tfx.components.trainer import executor
from tfx.dsl.components.base import base_component, executor_spec
from tfx.orchestration import data_types
from tfx.proto import trainer_pb2
from tfx.types import component_spec, standard_artifacts, standard_component_specs
from tfx.utils import json_utils

_CUSTOM_CONFIG = standard_component_specs.CUSTOM_CONFIG_KEY


class Executor(executor.GenericExecutor):
    """Puts the epochs among the train settings that `run_fn` is given."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Trains, as in TFX."""
        config = json_utils.loads(exec_properties[_CUSTOM_CONFIG])
        train = {**json.loads(config["train"]), "epochs": exec_properties["epochs"]}
        config = {**config, "train": json.dumps(train, sort_keys=True)}
        properties = {**exec_properties, _CUSTOM_CONFIG: json_utils.dumps(config)}
        super().Do(input_dict, output_dict, properties)


class TrainerSpec(standard_component_specs.TrainerSpec):
    """TFX's, and `epochs`."""

    PARAMETERS = {  # noqa: RUF012
        **standard_component_specs.TrainerSpec.PARAMETERS,
        "epochs": component_spec.ExecutionParameter(type=int),
    }


class Trainer(base_component.BaseComponent):
    """Trains a model by a function of the project; see TFX's Trainer.

    Outputs:
      model: `standard_artifacts.Model`.
      model_run: `standard_artifacts.ModelRun`, logs and reports.
    """

    SPEC_CLASS = TrainerSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(
        self,
        run_fn: str,
        *,
        epochs: int | data_types.RuntimeParameter,
        custom_config: dict[str, Any],
        examples: types.Channel,
        schema: types.Channel,
        transform_graph: types.Channel,
        train_args: trainer_pb2.TrainArgs,
        eval_args: trainer_pb2.EvalArgs,
        hyperparameters: types.Channel | None = None,
    ) -> None:
        """Makes the component.

        Args:
          run_fn: Dotted name of a function that takes TFX's `FnArgs`.
          epochs: Most epochs, at least 1.
          custom_config: Passed to `run_fn`; `train` is JSON of TrainSettings without `epochs`,
            which are added.
          examples: `Examples` with the splits of `train_args` and `eval_args`.
          schema: Of the examples.
          transform_graph: Applied to the examples.
          train_args: Splits to train on.
          eval_args: Splits to report on.
          hyperparameters: Those that a Tuner found.
        """
        super().__init__(
            spec=TrainerSpec(
                run_fn=run_fn,
                epochs=epochs,
                custom_config=json_utils.dumps(custom_config),
                examples=examples,
                schema=schema,
                transform_graph=transform_graph,
                hyperparameters=hyperparameters,
                train_args=train_args,
                eval_args=eval_args,
                model=types.Channel(type=standard_artifacts.Model),
                model_run=types.Channel(type=standard_artifacts.ModelRun),
            )
        )
