"""AtomicPusher: a component that publishes blessed models, whole and numbered."""

from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import BaseChannel, Channel, component_spec, standard_artifacts

from components.artifacts import (
    EdgeBlessing,
    EdgeEvaluation,
    EdgeModel,
    IngestReport,
    RobustnessBlessing,
)
from components.atomic_pusher import executor


class AtomicPusherSpec(component_spec.ComponentSpec):
    """Parameters, inputs and outputs of `AtomicPusher`."""

    PARAMETERS = {  # noqa: RUF012  (as TFX declares it)
        "base_directory": component_spec.ExecutionParameter(type=str),
        "model_name": component_spec.ExecutionParameter(type=str),
        "keep_versions": component_spec.ExecutionParameter(type=int),
        "manifest_json": component_spec.ExecutionParameter(type=str),
        "code_fingerprint": component_spec.ExecutionParameter(type=str),
        "serving_directory": component_spec.ExecutionParameter(type=str, optional=True),
    }
    INPUTS = {  # noqa: RUF012
        "model": component_spec.ChannelParameter(type=standard_artifacts.Model),
        "model_run": component_spec.ChannelParameter(
            type=standard_artifacts.ModelRun, optional=True
        ),
        "model_blessing": component_spec.ChannelParameter(
            type=standard_artifacts.ModelBlessing, optional=True
        ),
        "infra_blessing": component_spec.ChannelParameter(
            type=standard_artifacts.InfraBlessing, optional=True
        ),
        "robustness_blessing": component_spec.ChannelParameter(
            type=RobustnessBlessing, optional=True
        ),
        "evaluation": component_spec.ChannelParameter(
            type=standard_artifacts.ModelEvaluation, optional=True
        ),
        "edge_model": component_spec.ChannelParameter(type=EdgeModel, optional=True),
        "edge_blessing": component_spec.ChannelParameter(type=EdgeBlessing, optional=True),
        "edge_evaluation": component_spec.ChannelParameter(type=EdgeEvaluation, optional=True),
        "ingest_report": component_spec.ChannelParameter(type=IngestReport, optional=True),
    }
    OUTPUTS = {  # noqa: RUF012
        "pushed_model": component_spec.ChannelParameter(type=standard_artifacts.PushedModel),
    }


class AtomicPusher(base_component.BaseComponent):
    """Publishes a blessed model as the next version of a folder that servers poll.

    Stands in for TFX's `Pusher`, which copies into the version folder in place. A server that
    polls the folder can see a version without its variables; leaving `saved_model.pb` to the end
    helps with SavedModels alone, and not after a crash, since what is left of the version then
    counts as pushed. The Pusher also names versions by the clock, writes no record of where a
    model came from, keeps every version for ever, and cannot go back.

    Here a version is copied out of sight, flushed to disk, checked and renamed into sight in one
    step; its number is one more than the highest ever used; `manifest.json` in it records data,
    settings, code, metrics and the digest of every file; and only the newest versions are kept.
    A model that is already the newest version is not published twice, and one that was rolled back
    not again.

    With `edge_model` the TFLite models are published, not the SavedModel, and the manifest names
    the SavedModel that they were made from. Every blessing that is given must be positive;
    otherwise nothing is pushed, as by the Pusher.

    Outputs:
        `pushed_model`: `PushedModel` with the Pusher's custom properties `pushed` (1 or 0),
            `pushed_destination` and `pushed_version`, and `already_pushed` (1 or 0); a copy of
            what was pushed is under its URI.
    """

    SPEC_CLASS = AtomicPusherSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(executor.Executor)

    def __init__(
        self,
        *,
        model: BaseChannel,
        base_directory: str,
        model_name: str,
        keep_versions: int = 3,
        model_run: BaseChannel | None = None,
        model_blessing: BaseChannel | None = None,
        infra_blessing: BaseChannel | None = None,
        robustness_blessing: BaseChannel | None = None,
        evaluation: BaseChannel | None = None,
        edge_model: BaseChannel | None = None,
        edge_blessing: BaseChannel | None = None,
        edge_evaluation: BaseChannel | None = None,
        serving_directory: str | None = None,
        ingest_report: BaseChannel | None = None,
        manifest_json: str = "{}",
        code_fingerprint: str = "",
    ) -> None:
        """Constructs the component.

        Args:
            model: the SavedModel; what is published, unless there is an `edge_model`.
            base_directory: local folder of versions.
            model_name: name of the model in its manifest.
            keep_versions: how many versions stay.
            model_run: the Trainer's, for the train settings in the manifest, which a search may
                have changed.
            model_blessing: the Evaluator's.
            infra_blessing: that of a check that the model can be served.
            robustness_blessing: that of a bound on what changed images cost.
            evaluation: the Evaluator's, for the metrics in the manifest.
            edge_model: TFLite models made from `model`, to be published.
            edge_blessing: the edge gate's.
            edge_evaluation: the edge gate's, for the metrics in the manifest.
            serving_directory: where `model` is published, for an `edge_model`: none is published
                of a model that was rolled back there.
            ingest_report: for the data fingerprint and counts in the manifest.
            manifest_json: further fields of `pipeline.manifest.Manifest`: thresholds, settings,
                settings_fingerprint, code_fingerprint.
            code_fingerprint: digest of the code that this component runs.
        """
        super().__init__(
            AtomicPusherSpec(
                model=model,
                model_run=model_run,
                model_blessing=model_blessing,
                infra_blessing=infra_blessing,
                robustness_blessing=robustness_blessing,
                evaluation=evaluation,
                edge_model=edge_model,
                edge_blessing=edge_blessing,
                edge_evaluation=edge_evaluation,
                ingest_report=ingest_report,
                base_directory=base_directory,
                serving_directory=serving_directory,
                model_name=model_name,
                keep_versions=keep_versions,
                manifest_json=manifest_json,
                code_fingerprint=code_fingerprint,
                pushed_model=Channel(type=standard_artifacts.PushedModel),
            )
        )
