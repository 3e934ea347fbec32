"""Tuner's entry point: searches train settings, each trial a training of its own."""

import shutil
from pathlib import Path
from typing import Any

import keras
import keras_tuner
from tfx.components.trainer.fn_args_utils import FnArgs
from tfx.v1.components import TunerFnResult

from pipeline import progress, search_space, training_loop, training_setup
from pipeline.callbacks import judging_callbacks
from pipeline.checkpoints import CheckpointFolder
from pipeline.config import TrainSettings, TunerSettings
from pipeline.errors import UserError
from pipeline.teacher import check_teacher

_OBJECTIVE = keras_tuner.Objective("val_accuracy", "max")


def tuner_fn(fn_args: FnArgs) -> TunerFnResult:
    """Makes the tuner, which TFX then lets search.

    Args:
      fn_args: From TFX's Tuner. `custom_config` holds `train` and `tuner` (JSON of TrainSettings
        and TunerSettings), `size` (side of the image in pixels), and `checkpoint_root`, a folder
        that outlives the run. The train split alone is read.
    """
    config = fn_args.custom_config
    settings = TrainSettings.model_validate_json(config["train"])
    tuner = TunerSettings.model_validate_json(config["tuner"])
    check_teacher(settings, config["teacher_fingerprint"])
    # No trial would get further than this, and Keras Tuner would go on to the next one.
    training_setup.read_data(fn_args, settings)
    folder = CheckpointFolder.for_inputs(config["checkpoint_root"], fn_args)
    return TunerFnResult(
        tuner=_resumed(fn_args, settings, tuner, folder), fit_kwargs={"verbose": 0}
    )


class SettingsTuner(keras_tuner.Tuner):
    """Trains as the Trainer does, with the settings of each trial.

    A trial is judged by its best accuracy on the validation part, whatever `train.best_by` is: the
    losses of trials with other label smoothing or penalties do not compare. No weights are kept: a
    longer trial of Hyperband starts over, for its learning rate falls otherwise.
    """

    def __init__(
        self,
        fn_args: FnArgs,
        settings: TrainSettings,
        tuner: TunerSettings,
        folder: CheckpointFolder,
    ):
        self._fn_args = fn_args
        self._settings = settings
        self._epochs = tuner.epochs
        self._folder = folder
        super().__init__(
            oracle=_oracle(tuner, settings.seed),
            directory=str(folder.search.parent),
            project_name=folder.search.name,
        )

    def run_trial(self, trial: Any, *args: Any, **kwargs: Any) -> keras.callbacks.History:
        """Trains with the values of a trial; Keras Tuner calls this."""
        values = trial.hyperparameters.get_config()
        epochs = values["values"].get("tuner/epochs", self._epochs)
        settings = search_space.overlay(self._settings, values).model_copy(
            # Trials are judged by the weights themselves.
            update={"epochs": epochs, "weight_average": 0.0}
        )
        keras.backend.clear_session()
        training_setup.configure(settings)
        data = training_setup.read_data(self._fn_args, settings)
        network = training_setup.compiled_network(
            settings, self._fn_args.custom_config["size"], len(data.labels), data.steps
        )
        told = _TrialProgress(int(trial.trial_id) + 1, self.oracle.max_trials, epochs * data.steps)
        return training_loop.fit(network, data, settings, [*judging_callbacks(settings), told])

    def search(self, *args: Any, **kwargs: Any) -> None:
        """Runs the trials, then forgets them: they are in memory until TFX has written them.

        Raises:
          UserError: Three trials in a row failed, or all of them.
        """
        try:
            super().search(*args, **kwargs)
        except RuntimeError as error:
            reason = str(error).strip().splitlines()[-1]
            raise UserError(
                f"Three trials of the tuner failed in a row, the last with: {reason}. Narrow "
                "tuner.search."
            ) from error
        if not any(trial.status == "COMPLETED" for trial in self.oracle.trials.values()):
            raise UserError("No trial of the tuner could be trained; narrow tuner.search.")
        self._folder.remove()

    def results_summary(self, num_trials: int = 10) -> None:
        """Says nothing: TFX writes all results, and saying where they were makes the folder."""


class _TrialProgress(keras.callbacks.Callback):
    """Reports steps of a trial to the screen."""

    def __init__(self, trial: int, trials: int, steps: int):
        super().__init__()
        self._text = f"trial {trial}/{trials}"
        self._steps = steps
        self._done = 0

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Keras calls this after each step."""
        self._done += 1
        progress.report(self._done / self._steps, self._text)


def _resumed(
    fn_args: FnArgs, settings: TrainSettings, tuner: TunerSettings, folder: CheckpointFolder
) -> SettingsTuner:
    """Goes on with a search that was killed, or starts over if the kill left half a file."""
    try:
        return SettingsTuner(fn_args, settings, tuner, folder)
    except (ValueError, KeyError, RuntimeError):
        shutil.rmtree(Path(folder.search), ignore_errors=True)
        return SettingsTuner(fn_args, settings, tuner, folder)


def _oracle(tuner: TunerSettings, seed: int) -> keras_tuner.Oracle:
    common: dict[str, Any] = {
        "objective": _OBJECTIVE,
        "seed": seed,
        "hyperparameters": search_space.declare(tuner.search),
    }
    match tuner.algorithm:
        case "random":
            return keras_tuner.oracles.RandomSearchOracle(max_trials=tuner.max_trials, **common)
        case "bayesian":
            return keras_tuner.oracles.BayesianOptimizationOracle(
                max_trials=tuner.max_trials, **common
            )
        case "hyperband":
            oracle = keras_tuner.oracles.HyperbandOracle(max_epochs=tuner.epochs, **common)
            # It takes no bound, but keeps to one; without, TFX can't list the results.
            oracle.max_trials = tuner.max_trials
            return oracle
