"""What the launcher passes and what TFX is given: paths, types, and inputs that were not found."""

from typing import Any

import pytest

from orchestration.kubeflow.executor_io import for_tfx, from_tfx, local_path

_EXAMPLES = {"instanceSchema": "title: tfx.Examples\n"}
_MODEL = {"instanceSchema": "title: tfx.Model\n"}


def _listed(uri: str, **fields: Any) -> dict[str, Any]:
    # Kubeflow's own name for a type that it has none for.
    return {"artifacts": [{"uri": uri, "type": {"schemaTitle": "system.Artifact"}, **fields}]}


def _input() -> dict[str, Any]:
    return {
        "inputs": {
            "parameterValues": {"epochs": 3},
            "artifacts": {
                "examples": _listed("minio://bucket/run/examples", metadata={"span": 2}),
                "baseline": _listed("minio://bucket/run/baseline", metadata={"found": 0}),
            },
        },
        "outputs": {
            "artifacts": {"model": _listed("minio://bucket/run/model", name="model")},
            "outputFile": "/outputs/output_metadata.json",
        },
    }


_INPUTS_SPEC = {"artifacts": {"examples": {"artifactType": _EXAMPLES}}}
_OUTPUTS_SPEC = {"artifacts": {"model": {"artifactType": _MODEL}}}


def _translated() -> dict[str, Any]:
    return for_tfx(_input(), _INPUTS_SPEC, _OUTPUTS_SPEC)


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("minio://mlpipeline/v2/artifacts/a", "/minio/mlpipeline/v2/artifacts/a"),
        ("s3://bucket/a", "/s3/bucket/a"),
        ("gs://bucket/a", "/gcs/bucket/a"),
        ("/pipeline_root/a", "/pipeline_root/a"),
    ],
)
def test_a_uri_is_read_and_written_where_the_launcher_keeps_it(uri: str, path: str) -> None:
    assert local_path(uri) == path


def test_tfx_is_given_local_paths_and_its_own_types() -> None:
    translated = _translated()
    (examples,) = translated["inputs"]["artifacts"]["examples"]["artifacts"]
    assert (examples["uri"], examples["type"]) == ("/minio/bucket/run/examples", _EXAMPLES)
    assert examples["metadata"] == {"span": 2}
    (model,) = translated["outputs"]["artifacts"]["model"]["artifacts"]
    assert (model["uri"], model["type"]) == ("/minio/bucket/run/model", _MODEL)
    assert translated["inputs"]["parameterValues"] == {"epochs": 3}


def test_every_artifact_has_a_name_of_its_own() -> None:
    translated = _translated()
    sides = (translated["inputs"], translated["outputs"])
    listed = [each["artifacts"] for side in sides for each in side["artifacts"].values()]
    names = [artifact["name"] for artifacts in listed for artifact in artifacts]
    assert len(names) == len(set(names)) == 2


def test_what_a_resolver_did_not_find_is_no_input() -> None:
    assert _translated()["inputs"]["artifacts"]["baseline"]["artifacts"] == []


def test_kubeflow_is_told_its_own_names_and_uris() -> None:
    written = {
        "artifacts": {
            "model": {
                "artifacts": [
                    {
                        "name": "of TFX",
                        "uri": "/minio/bucket/run/model",
                        "metadata": {"from": "/minio/bucket/run/examples", "blessed": 1.0},
                    }
                ]
            }
        }
    }
    (model,) = from_tfx(written, _input())["artifacts"]["model"]["artifacts"]
    assert (model["name"], model["uri"]) == ("model", "minio://bucket/run/model")
    assert model["metadata"] == {"from": "minio://bucket/run/examples", "blessed": 1.0}


def test_what_was_passed_is_left_as_it_was() -> None:
    given = _input()
    for_tfx(given, _INPUTS_SPEC, _OUTPUTS_SPEC)
    assert given == _input()
