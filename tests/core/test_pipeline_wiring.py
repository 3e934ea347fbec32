"""The graph: what runs after what, and which component a change of settings or code reaches."""

import functools
import json
from collections.abc import Iterable
from pathlib import Path

import tfx.v1 as tfx
import pytest
from tfx.dsl.compiler import compiler
from tfx.proto.orchestration import pipeline_pb2

from pipeline import config, fingerprint
from pipeline.config import REPOSITORY
from pipeline.pipeline import TENSORFLOW_SERVING, create_pipeline
from pipeline.runner import compile_pipeline
from pipeline.workspace import Workspace
from tests.core.pushed import push

_NODES = [
    "ImageExampleGen",
    "StatisticsGen",
    "SchemaGen",
    "CuratedSchemaGen",
    "ExampleValidator",
    "LastValidatedStatistics",
    "SkewValidator",
    "DriftValidator",
    "DataGate",
    "Transform",
    "Trainer",
    "LatestBlessedModel",
    "Evaluator",
    "RobustnessReport",
    "ServingCheck",
    "TFLiteConverter",
    "TFLiteEvaluator",
    "Pusher",
    "EdgePusher",
]
_PUSHERS = {"Pusher", "EdgePusher"}
_BULK_INFERENCE = ["UnlabelledExampleGen", "BulkInferrer", "PredictionTable"]

_WORKSPACE = Workspace(Path("/workspace"))
_DATA = "/data/archive.zip"


def _pipeline(assignments: Iterable[str] = (), unlabelled: bool = False) -> tfx.dsl.Pipeline:
    settings = config.load(assignments=assignments)
    pictures = "/data/pictures" if unlabelled else None
    return create_pipeline(settings, _WORKSPACE, _DATA, pictures)


def _compiled(
    assignments: Iterable[str] = (), unlabelled: bool = False
) -> dict[str, pipeline_pb2.PipelineNode]:
    ir = compiler.Compiler().compile(_pipeline(assignments, unlabelled))
    return {node.pipeline_node.node_info.id: node.pipeline_node for node in ir.nodes}


@functools.cache
def _defaults() -> dict[str, pipeline_pb2.PipelineNode]:
    return _compiled()


def _changed(assignments: Iterable[str] = ()) -> set[str]:
    """Nodes whose parameters, which the cache goes by, are others than with the defaults."""
    before, after = _defaults(), _compiled(assignments)
    return {name for name in before if before[name].parameters != after[name].parameters}


def _upstream(nodes: dict[str, pipeline_pb2.PipelineNode], name: str) -> set[str]:
    """All nodes that run before one."""
    direct = set(nodes[name].upstream_nodes)
    return direct.union(*(_upstream(nodes, other) for other in direct))


def test_the_graph_has_these_components_and_no_others() -> None:
    assert sorted(_defaults()) == sorted(_NODES)


def test_a_model_that_cannot_be_served_is_not_pushed() -> None:
    nodes = _defaults()
    for pusher in _PUSHERS:
        assert "infra_blessing" in nodes[pusher].inputs.inputs
        assert "ServingCheck" in nodes[pusher].upstream_nodes


def test_tensorflow_serving_itself_can_be_asked_instead() -> None:
    check = _compiled(["serving_check.server=docker"])["ServingCheck"]
    assert check.node_info.type.name.endswith("InfraValidator")
    compose = (REPOSITORY / "serving_configs" / "docker-compose.yml").read_text()
    assert f"image: tensorflow/serving:{TENSORFLOW_SERVING}\n" in compose


def test_the_robustness_report_withholds_its_blessing_from_both_pushers() -> None:
    nodes = _defaults()
    for pusher in _PUSHERS:
        assert "robustness_blessing" in nodes[pusher].inputs.inputs
        assert "RobustnessReport" in nodes[pusher].upstream_nodes
    assert "Evaluator" in nodes["RobustnessReport"].upstream_nodes


def test_the_robustness_report_can_be_left_out() -> None:
    assert "RobustnessReport" not in _compiled(["robustness.images=0"])


def test_the_serving_check_can_be_left_out() -> None:
    assert "ServingCheck" not in _compiled(["serving_check.server=off"])


_SEARCH = "tuner.enabled=true"


def test_a_search_comes_before_the_training_and_gives_it_what_it_found() -> None:
    nodes = _compiled([_SEARCH])
    assert set(nodes) == {*_NODES, "Tuner"}
    assert "Tuner" in nodes["Trainer"].upstream_nodes
    assert "hyperparameters" in nodes["Trainer"].inputs.inputs
    assert "DataGate" in _upstream(nodes, "Tuner")


def test_a_search_is_not_given_the_eval_split() -> None:
    parameters = _compiled([_SEARCH])["Tuner"].parameters.parameters
    for name in ("train_args", "eval_args"):
        assert json.loads(parameters[name].field_value.string_value) == {"splits": ["train"]}


def test_the_settings_of_a_search_reach_it_and_the_manifests() -> None:
    before, after = _compiled([_SEARCH]), _compiled([_SEARCH, "tuner.max_trials=7"])
    changed = {name for name in before if before[name].parameters != after[name].parameters}
    assert changed == {"Tuner"} | _PUSHERS
    assert _changed(["tuner.max_trials=7"]) == set()  # for none is made


def test_an_edit_of_the_search_runs_it_again(copied: Path) -> None:
    before = _compiled([_SEARCH])
    path = copied / "pipeline" / "tuner.py"
    path.write_text(path.read_text() + "\n_EDITED = 1\n")
    after = _compiled([_SEARCH])
    changed = {name for name in before if before[name].parameters != after[name].parameters}
    assert changed == {"Tuner"} | _PUSHERS


def test_manifests_take_the_train_settings_from_the_training() -> None:
    nodes = _defaults()
    for pusher in _PUSHERS:
        assert "model_run" in nodes[pusher].inputs.inputs


def test_components_are_compiled_in_an_order_that_can_be_run() -> None:
    done: set[str] = set()
    for name, node in _defaults().items():
        assert set(node.upstream_nodes) <= done, name
        done.add(name)


def test_unlabelled_images_add_bulk_inference_behind_the_gate() -> None:
    nodes = _compiled(unlabelled=True)
    assert set(nodes) == {*_NODES, *_BULK_INFERENCE}
    assert "Evaluator" in nodes["BulkInferrer"].upstream_nodes


def test_nothing_trains_on_data_that_the_gate_has_not_passed() -> None:
    nodes = _defaults()
    assert {"DataGate"} <= set(nodes["Transform"].upstream_nodes)
    for name in _NODES[_NODES.index("Transform") :]:
        if name != "LatestBlessedModel":
            assert "DataGate" in _upstream(nodes, name), name


def test_the_gate_waits_for_every_validator() -> None:
    validators = {"ExampleValidator", "SkewValidator", "DriftValidator"}
    assert validators <= set(_defaults()["DataGate"].upstream_nodes)


def test_drift_is_measured_against_what_the_gate_passed_last() -> None:
    nodes = _defaults()
    queries = [
        query.name.field_value.string_value
        for spec in nodes["LastValidatedStatistics"].inputs.inputs.values()
        for channel in spec.channels
        for query in channel.context_queries
    ]
    assert "expression.DataGate" in queries
    assert "LastValidatedStatistics" in nodes["DriftValidator"].upstream_nodes


def test_publishing_is_never_cached_and_everything_else_may_be() -> None:
    uncached = {
        node.pipeline_node.node_info.id
        for node in compile_pipeline(_pipeline()).nodes
        if not node.pipeline_node.execution_options.caching_options.enable_cache
    }
    assert uncached == _PUSHERS


def test_nothing_is_pushed_that_its_evaluator_has_not_judged() -> None:
    nodes = _defaults()
    assert "Evaluator" in nodes["Pusher"].upstream_nodes
    assert {"TFLiteEvaluator"} <= set(nodes["EdgePusher"].upstream_nodes)
    assert "Evaluator" in _upstream(nodes, "EdgePusher")


def test_a_model_is_judged_on_the_eval_split_alone() -> None:
    splits = _defaults()["Evaluator"].parameters.parameters["example_splits"]
    assert json.loads(splits.field_value.string_value) == ["eval"]


def test_statistics_look_into_images() -> None:
    options = _defaults()["StatisticsGen"].parameters.parameters["stats_options_json"]
    assert json.loads(options.field_value.string_value).get("enable_semantic_domain_stats") is True


@pytest.mark.parametrize(
    ("assignment", "reached"),
    [
        ("push.keep_versions=7", set()),
        ("train.epochs=7", {"Trainer"}),
        ("train.augment.rotate=7", {"Trainer"}),
        ("image.size=64", {"Transform", "Trainer"}),
        ("validate.min_examples_per_class=7", {"DataGate"}),
        ("validate.skew=0.7", {"SkewValidator"}),
        ("validate.drift=0.7", {"DriftValidator"}),
        ("validate.pin_schema=true", {"CuratedSchemaGen"}),
        ("evaluate.accuracy=0.7", {"Evaluator"}),
        ("evaluate.class_recall=0.7", {"Evaluator"}),
        ("edge.representative_images=70", {"TFLiteConverter"}),
        ("edge.max_accuracy_drop=0.7", {"TFLiteEvaluator"}),
        ("robustness.images=70", {"RobustnessReport"}),
        ("robustness.max_drop=0.7", {"RobustnessReport"}),
        ("robustness.gate=true", {"RobustnessReport"}),
        ("data.min_side=24", {"ImageExampleGen"}),
        ("data.class_aliases={rage='angry'}", {"ImageExampleGen"}),
    ],
)
def test_a_setting_reaches_its_component_and_the_manifests_of_what_is_pushed(
    assignment: str, reached: set[str]
) -> None:
    assert _changed([assignment]) == reached | _PUSHERS


def test_a_teacher_reaches_the_training_and_the_search_by_its_content(tmp_path: Path) -> None:
    taught = f"train.teacher={tmp_path}"
    push(tmp_path / "1", "one")
    before = _compiled([_SEARCH, taught])
    assert _changed([taught]) == {"Trainer"} | _PUSHERS
    (tmp_path / "1").rename(tmp_path / ".retired-1")
    push(tmp_path / "1", "another")
    after = _compiled([_SEARCH, taught])
    changed = {name for name in before if before[name].parameters != after[name].parameters}
    assert changed == {"Trainer", "Tuner"}


@pytest.mark.parametrize(
    "assignment", ["run.cache=false", "infer.data=/data/pictures", "sample.seed=7"]
)
def test_how_a_run_is_executed_is_no_news_to_any_component(assignment: str) -> None:
    assert _changed([assignment]) == set()


def test_the_same_settings_compile_to_the_same_parameters() -> None:
    assert _compiled() == _defaults()


@pytest.fixture
def copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the project's modules, which fingerprints are taken of."""
    for package in ("pipeline", "components", "serving"):
        for source in (REPOSITORY / package).rglob("*.py"):
            copy = tmp_path / source.relative_to(REPOSITORY)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_text(source.read_text())
    monkeypatch.setattr(fingerprint, "_ROOT", tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("edited", "reached"),
    [
        ("pipeline/augmentation.py", {"Trainer"}),
        ("pipeline/callbacks.py", {"Trainer"}),
        (
            "pipeline/preprocessing.py",
            {
                "Transform",
                "Trainer",
                "RobustnessReport",
                "ServingCheck",
                "TFLiteConverter",
                "TFLiteEvaluator",
            },
        ),
        ("pipeline/calibration.py", {"Evaluator"}),
        ("components/data_gate.py", {"DataGate"}),
        ("components/image_example_gen/inspection.py", {"ImageExampleGen"}),
        ("components/tflite_converter/executor.py", {"TFLiteConverter"}),
        ("serving/signature.py", {"ServingCheck"}),
        ("pipeline/cli.py", set()),
        ("pipeline/screen.py", set()),
    ],
)
def test_an_edit_of_code_reaches_the_components_that_run_it(
    copied: Path, edited: str, reached: set[str]
) -> None:
    before = _compiled()
    path = copied / edited
    path.write_text(path.read_text() + "\n_EDITED = 1\n")
    after = _compiled()
    changed = {name for name in before if before[name].parameters != after[name].parameters}
    # What is pushed names the code that made it, so the pushers follow any code that did.
    assert changed - _PUSHERS == reached


def test_metadata_and_artifacts_go_to_the_workspace() -> None:
    pipeline = _pipeline()
    assert pipeline.pipeline_info.pipeline_root == str(_WORKSPACE.pipeline_root)
    assert pipeline.metadata_connection_config.sqlite.filename_uri == str(_WORKSPACE.metadata_db)
    assert pipeline.enable_cache
    assert not _pipeline(["run.cache=false"]).enable_cache


def test_models_are_pushed_under_the_name_of_the_data() -> None:
    nodes = _compiled(["data.name=animals"])
    for name, folder in (("Pusher", "serving"), ("EdgePusher", "edge")):
        value = nodes[name].parameters.parameters["base_directory"].field_value.string_value
        assert value == f"/workspace/{folder}/animals"
