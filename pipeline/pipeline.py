"""The pipeline: every component, and what flows between them."""

import json
from pathlib import Path

import tfx.v1 as tfx
import tensorflow_data_validation as tfdv
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2
from tfx.components import DistributionValidator
from tfx.dsl.components.base import base_component
from tfx.orchestration.data_types import RuntimeParameter
from tfx.proto import distribution_validator_pb2
from tfx.types import Channel, standard_artifacts

from components.atomic_pusher.component import AtomicPusher
from components.curated_schema_gen import CuratedSchemaGen
from components.data_gate import DataGate
from components.image_example_gen.component import ImageExampleGen
from components.prediction_table import (
    PREDICTED_LABEL_KEY,
    PREDICTED_SCORE_KEY,
    PredictionTable,
)
from components.robustness_report.component import RobustnessReport
from components.serving_check.component import ServingCheck
from components.tflite_converter.component import TFLiteConverter
from components.tflite_evaluator.component import TFLiteEvaluator
from components.trainer import Trainer
from pipeline import evaluation, metadata_store, run_parameters
from pipeline.config import (
    REPOSITORY,
    DataSettings,
    ServingCheckSettings,
    Settings,
    as_dict,
)
from pipeline.features import EVAL_SPLIT, LABEL_KEY, TRAIN_SPLIT, UNLABELLED_SPLIT
from pipeline.fingerprint import code_fingerprint, value_fingerprint
from pipeline.run_parameters import RunParameter
from pipeline.teacher import with_found_teacher
from pipeline.workspace import Workspace

CURATED_SCHEMA = REPOSITORY / "schema" / "schema.pbtxt"

TENSORFLOW_SERVING = "2.21.0"
"""Tag of the TensorFlow Serving image, as in `serving_configs/docker-compose.yml`."""

_CALLED_BY_NAME = ("pipeline.preprocessing", "pipeline.trainer", "pipeline.calibration")
_OF_THE_MODEL = ("data", "validate", "image", "train", "evaluate", "edge", "robustness")


def create_pipeline(
    settings: Settings,
    workspace: Workspace,
    data: str,
    unlabelled: str | None = None,
    drawn: bool = False,
) -> tfx.dsl.Pipeline:
    """Wires the whole pipeline, for any runner.

    What is in `run_parameters` can be set for each run of the compiled pipeline; what is given here
    is taken otherwise.

    Args:
      settings: All settings; each component gets its own, so that a change re-runs no other.
      workspace: Where metadata, artifacts and pushed models go.
      data: Path of the labelled images, as `resolve_source` takes it.
      unlabelled: Path of images to label with the blessed model; none leaves bulk inference out.
      drawn: The data are the drawn sample, whose runs are a history of their own: data are not
        measured against it for drift, nor their models against its models.

    Raises:
      UserError: There is no teacher where `train.teacher` says.
    """
    example_gen = _example_gen(
        settings.data,
        workspace,
        _parameter(run_parameters.DATA, run_parameters.absolute(data)),
        span=_parameter(run_parameters.SPAN, settings.data.span),
    )
    examples = example_gen.outputs["examples"]
    ingest_report = example_gen.outputs["ingest_report"]

    # Data validation
    statistics_gen = tfx.components.StatisticsGen(
        examples=examples,
        stats_options=tfdv.StatsOptions(enable_semantic_domain_stats=True),  # image formats
    )
    statistics = statistics_gen.outputs["statistics"]
    schema_gen = tfx.components.SchemaGen(statistics=statistics, infer_feature_shape=True)
    curated_schema_gen = CuratedSchemaGen(
        inferred=schema_gen.outputs["schema"],
        curated=text_format.MessageToString(read_curated_schema()),
        pin=settings.validate_.pin_schema,
        code_fingerprint=code_fingerprint("components.curated_schema_gen"),
    )
    schema = curated_schema_gen.outputs["schema"]
    example_validator = tfx.components.ExampleValidator(statistics=statistics, schema=schema)
    last_validated = tfx.dsl.Resolver(
        strategy_class=tfx.dsl.experimental.LatestArtifactStrategy,
        statistics=tfx.dsl.Channel(
            type=standard_artifacts.ExampleStatistics, producer_component_id=DataGate.__name__
        ),
    ).with_id("LastValidatedStatistics")
    skew_validator = DistributionValidator(
        statistics=statistics,
        baseline_statistics=statistics,
        config=_label_distance(settings.validate_.skew),
        include_split_pairs=[(EVAL_SPLIT, TRAIN_SPLIT)],
    ).with_id("SkewValidator")
    drift_validator = DistributionValidator(
        statistics=statistics,
        baseline_statistics=last_validated.outputs["statistics"].as_optional(),
        config=_label_distance(settings.validate_.drift),
        include_split_pairs=[(TRAIN_SPLIT, TRAIN_SPLIT)],
    ).with_id("DriftValidator")
    data_gate = DataGate(
        statistics=statistics,
        schema=schema,
        anomalies=example_validator.outputs["anomalies"],
        skew=skew_validator.outputs["anomalies"],
        drift=drift_validator.outputs["anomalies"],
        min_examples_per_class=settings.validate_.min_examples_per_class,
        code_fingerprint=code_fingerprint("components.data_gate"),
    )

    # Training. The transform graph alone is kept: applying it in the Trainer's input pipeline is
    # faster than writing transformed images and reading them back (benchmarks/README.md).
    transform = tfx.components.Transform(
        examples=examples,
        schema=schema,
        preprocessing_fn="pipeline.preprocessing.preprocessing_fn",
        materialize=False,
        disable_statistics=True,
        disable_analyzer_cache=True,
        custom_config={
            "size": settings.image.size,
            "code_fingerprint": code_fingerprint("pipeline.preprocessing"),
        },
    )
    transform.add_upstream_node(data_gate)
    training_config = _training_config(settings, workspace)
    tuner = _tuner(settings, training_config, examples, schema, transform)
    trainer = Trainer(
        run_fn="pipeline.trainer.run_fn",
        examples=examples,
        schema=schema,
        transform_graph=transform.outputs["transform_graph"],
        hyperparameters=tuner.outputs["best_hyperparameters"] if tuner is not None else None,
        epochs=_parameter(run_parameters.EPOCHS, settings.train.epochs),
        train_args=tfx.proto.TrainArgs(splits=[TRAIN_SPLIT]),
        eval_args=tfx.proto.EvalArgs(splits=[EVAL_SPLIT]),
        custom_config={
            **training_config,
            "model_name": settings.data.name,
            "code_fingerprint": value_fingerprint(
                [code_fingerprint("pipeline.trainer"), code_fingerprint("components.trainer")]
            ),
        },
    )
    model = trainer.outputs["model"]

    # Gates
    latest_blessed = tfx.dsl.Resolver(
        strategy_class=tfx.dsl.experimental.LatestBlessedModelStrategy,
        model=tfx.dsl.Channel(type=standard_artifacts.Model, producer_component_id=trainer.id),
        model_blessing=tfx.dsl.Channel(
            type=standard_artifacts.ModelBlessing, producer_component_id="Evaluator"
        ),
    ).with_id("LatestBlessedModel")
    evaluator = tfx.components.Evaluator(
        examples=examples,
        model=model,
        baseline_model=latest_blessed.outputs["model"],
        schema=schema,
        eval_config=evaluation.eval_config(settings.evaluate),
        example_splits=[EVAL_SPLIT],
    )
    blessing = evaluator.outputs["blessing"]
    tflite_converter = TFLiteConverter(
        model=model,
        model_blessing=blessing,
        examples=examples,
        representative_images=settings.edge.representative_images,
        seed=settings.train.seed,
        code_fingerprint=code_fingerprint("components.tflite_converter.executor"),
    )
    edge_model = tflite_converter.outputs["edge_model"]
    tflite_evaluator = TFLiteEvaluator(
        model=model,
        edge_model=edge_model,
        examples=examples,
        max_accuracy_drop=settings.edge.max_accuracy_drop,
        code_fingerprint=code_fingerprint("components.tflite_evaluator.executor"),
    )

    robustness_report = robustness_blessing = None
    if settings.robustness.images:
        robustness_report = RobustnessReport(
            model=model,
            model_blessing=blessing,
            examples=examples,
            num_images=settings.robustness.images,
            max_drop=settings.robustness.max_drop,
            gate=settings.robustness.gate,
            code_fingerprint=code_fingerprint("components.robustness_report.executor"),
        )
        robustness_blessing = robustness_report.outputs["blessing"]

    # Publishing
    infra_blessing = None
    serving_check = _serving_check(settings.serving_check, model, blessing, examples)
    if serving_check is not None:
        infra_blessing = serving_check.outputs["blessing"]
    manifest = _manifest(settings)
    pusher = AtomicPusher(
        model=model,
        model_run=trainer.outputs["model_run"],
        model_blessing=blessing,
        infra_blessing=infra_blessing,
        robustness_blessing=robustness_blessing,
        evaluation=evaluator.outputs["evaluation"],
        ingest_report=ingest_report,
        base_directory=str(workspace.serving(settings.data.name)),
        model_name=settings.data.name,
        keep_versions=settings.push.keep_versions,
        manifest_json=manifest,
        code_fingerprint=code_fingerprint("components.atomic_pusher.executor"),
    ).with_id("Pusher")
    edge_pusher = AtomicPusher(
        model=model,
        model_run=trainer.outputs["model_run"],
        model_blessing=blessing,
        infra_blessing=infra_blessing,
        robustness_blessing=robustness_blessing,
        edge_model=edge_model,
        edge_blessing=tflite_evaluator.outputs["blessing"],
        edge_evaluation=tflite_evaluator.outputs["evaluation"],
        ingest_report=ingest_report,
        base_directory=str(workspace.edge(settings.data.name)),
        serving_directory=str(workspace.serving(settings.data.name)),
        model_name=settings.data.name,
        keep_versions=settings.push.keep_versions,
        manifest_json=manifest,
        code_fingerprint=code_fingerprint("components.atomic_pusher.executor"),
    ).with_id("EdgePusher")

    components = [
        example_gen,
        statistics_gen,
        schema_gen,
        curated_schema_gen,
        example_validator,
        last_validated,
        skew_validator,
        drift_validator,
        data_gate,
        transform,
        trainer,
        latest_blessed,
        evaluator,
        tflite_converter,
        tflite_evaluator,
        pusher,
        edge_pusher,
    ]

    if robustness_report is not None:
        components.append(robustness_report)
    if tuner is not None:
        components.append(tuner)
    if serving_check is not None:
        components.append(serving_check)
    if unlabelled is not None:
        inference_gen = _example_gen(
            settings.data, workspace, run_parameters.absolute(unlabelled), unlabelled=True
        ).with_id("UnlabelledExampleGen")
        bulk_inferrer = tfx.components.BulkInferrer(
            examples=inference_gen.outputs["examples"],
            model=model,
            model_blessing=blessing,
            data_spec=tfx.proto.DataSpec(example_splits=[UNLABELLED_SPLIT]),
            model_spec=tfx.proto.ModelSpec(model_signature_name=["classify"]),
            output_example_spec=_predicted_columns(),
        )
        prediction_table = PredictionTable(
            examples=bulk_inferrer.outputs["output_examples"],
            code_fingerprint=code_fingerprint("components.prediction_table"),
        )
        components += [inference_gen, bulk_inferrer, prediction_table]

    return tfx.dsl.Pipeline(
        pipeline_name=f"{settings.data.name}-drawn-sample" if drawn else settings.data.name,
        pipeline_root=str(workspace.pipeline_root),
        metadata_connection_config=metadata_store.connection(settings, workspace, secret=False),
        components=components,
        enable_cache=settings.run.cache,
        beam_pipeline_args=settings.run.beam_args,
    )


def code_of(settings: Settings) -> str:
    """Fingerprint of all code that makes a model with these settings."""
    called = (*_CALLED_BY_NAME, "pipeline.tuner") if settings.tuner.enabled else _CALLED_BY_NAME
    return value_fingerprint({name: code_fingerprint(name) for name in (__name__, *called)})


def read_curated_schema(path: Path = CURATED_SCHEMA) -> schema_pb2.Schema:
    """Reads the curated schema; comments are lost, so that editing one is no new input."""
    return text_format.Parse(path.read_text(encoding="utf-8"), schema_pb2.Schema())


def _example_gen(
    settings: DataSettings,
    workspace: Workspace,
    data: str | RuntimeParameter,
    span: int | RuntimeParameter = -1,
    unlabelled: bool = False,
) -> ImageExampleGen:
    return ImageExampleGen(
        data=data,
        span=span,
        extract_dir=str(workspace.extracted),
        split_aliases=settings.split_aliases,
        class_aliases=settings.class_aliases,
        eval_fraction=settings.eval_fraction,
        min_side=settings.min_side,
        max_side=settings.max_side,
        min_stddev=settings.min_stddev,
        max_file_bytes=settings.max_file_megabytes << 20,
        max_total_bytes=settings.max_total_megabytes << 20,
        unlabelled=unlabelled,
        code_fingerprint=code_fingerprint("components.image_example_gen.executor"),
    )


def _training_config(settings: Settings, workspace: Workspace) -> dict[str, str | int]:
    """What the Trainer and the Tuner are told alike."""
    train, teacher_fingerprint = with_found_teacher(settings.train)
    return {
        "train": train.model_dump_json(exclude={"epochs"}),
        "size": settings.image.size,
        "checkpoint_root": str(workspace.checkpoints),
        # Another model in the same place is another teacher.
        "teacher_fingerprint": teacher_fingerprint,
    }


def _tuner(
    settings: Settings,
    training_config: dict[str, str | int],
    examples: Channel,
    schema: Channel,
    transform: tfx.components.Transform,
) -> tfx.components.Tuner | None:
    if not settings.tuner.enabled:
        return None
    if softened := settings.tuner.search.get("distillation_temperature"):
        # Found out now, and not by the Trainer once the search has ended.
        hottest = {"distillation_temperature": max(softened.ends())}
        with_found_teacher(settings.train.model_copy(update=hottest))
    return tfx.components.Tuner(
        tuner_fn="pipeline.tuner.tuner_fn",
        examples=examples,
        schema=schema,
        transform_graph=transform.outputs["transform_graph"],
        # The eval split is the Evaluator's: a search by it would flatter the model.
        train_args=tfx.proto.TrainArgs(splits=[TRAIN_SPLIT]),
        eval_args=tfx.proto.EvalArgs(splits=[TRAIN_SPLIT]),
        custom_config={
            **training_config,
            "tuner": settings.tuner.model_dump_json(),
            "code_fingerprint": code_fingerprint("pipeline.tuner"),
        },
    )


def _parameter(parameter: RunParameter, default: str | int) -> RuntimeParameter:
    return RuntimeParameter(
        parameter.name, ptype=parameter.type, default=default, description=parameter.description
    )


def _serving_check(
    settings: ServingCheckSettings, model: Channel, blessing: Channel, examples: Channel
) -> base_component.BaseComponent | None:
    match settings.server:
        case "embedded":
            return ServingCheck(
                model=model,
                model_blessing=blessing,
                examples=examples,
                num_images=settings.images,
                max_latency_ms=settings.max_latency_ms,
                max_memory_mb=settings.max_memory_mb,
                startup_timeout_s=settings.startup_timeout_s,
                code_fingerprint=code_fingerprint("components.serving_check.executor"),
            )
        case "docker":
            return tfx.components.InfraValidator(
                model=model,
                examples=examples,
                serving_spec=tfx.proto.ServingSpec(
                    tensorflow_serving=tfx.proto.TensorFlowServing(tags=[TENSORFLOW_SERVING]),
                    local_docker=tfx.proto.LocalDockerConfig(),
                ),
                request_spec=tfx.proto.RequestSpec(
                    tensorflow_serving=tfx.proto.TensorFlowServingRequestSpec(
                        signature_names=["examples"]
                    ),
                    split_name=EVAL_SPLIT,
                    num_examples=settings.images,
                ),
            ).with_id(ServingCheck.__name__)
        case "off":
            return None


def _label_distance(threshold: float) -> distribution_validator_pb2.DistributionValidatorConfig:
    config = distribution_validator_pb2.DistributionValidatorConfig()
    feature = config.default_slice_config.feature.add()
    feature.path.step.append(LABEL_KEY)
    feature.distribution_comparator.infinity_norm.threshold = threshold
    return config


def _predicted_columns() -> tfx.proto.OutputExampleSpec:
    columns = tfx.proto.OutputColumnsSpec(
        classify_output=tfx.proto.ClassifyOutput(
            label_column=PREDICTED_LABEL_KEY, score_column=PREDICTED_SCORE_KEY
        )
    )
    return tfx.proto.OutputExampleSpec(output_columns_spec=[columns])


def _manifest(settings: Settings) -> str:
    """The fields of a pushed model's manifest that no artifact tells."""
    # Where and how it ran is the machine's business, not the model's.
    sections = (*_OF_THE_MODEL, "tuner") if settings.tuner.enabled else _OF_THE_MODEL
    values = {name: value for name, value in as_dict(settings).items() if name in sections}
    values["data"].pop("span")  # Which one was read is told by the data's own record.
    thresholds = {**values["evaluate"], "edge_accuracy_drop": settings.edge.max_accuracy_drop}
    if settings.robustness.gate:
        thresholds["robustness_drop"] = settings.robustness.max_drop
    return json.dumps(
        {
            "thresholds": thresholds,
            "settings": values,
            "settings_fingerprint": value_fingerprint(values),
            "code_fingerprint": code_of(settings),
        },
        sort_keys=True,
    )
