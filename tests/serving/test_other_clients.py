"""Clients that nobody here wrote: OpenVINO's `ovmsclient` and curl.

`ovmsclient` asks for version 0 unless told otherwise, which only OpenVINO Model Server reads as
the latest; TensorFlow Serving answers that there is no version 0.
"""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
from pathlib import Path

import ovmsclient
import pytest

from tests.serving.clients import Target
from tests.serving.conftest import MODEL
from tests.serving.tiny_model import CLASSES, png


def test_ovmsclient_over_grpc(target: Target) -> None:
    client = ovmsclient.make_grpc_client(target.grpc_address)
    answer = client.predict(
        inputs={"image_bytes": [png(0), png(1)]}, model_name=MODEL, model_version=2
    )
    assert answer["probabilities"].shape == (2, len(CLASSES))
    assert client.get_model_status(model_name=MODEL, model_version=2)[2]["state"] == "AVAILABLE"
    metadata = client.get_model_metadata(model_name=MODEL, model_version=2)
    assert metadata["model_version"] == 2


def test_ovmsclient_tells_an_unknown_model(target: Target) -> None:
    client = ovmsclient.make_grpc_client(target.grpc_address)
    with pytest.raises(ovmsclient.ModelNotFoundError):
        client.predict(inputs={"image_bytes": [png(0)]}, model_name="nope")


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_curl_as_in_tensorflow_servings_guide(target: Target, tmp_path: Path) -> None:
    body = {"instances": [{"b64": base64.b64encode(png(0)).decode()}]}
    (tmp_path / "request.json").write_text(json.dumps(body))
    result = subprocess.run(
        ["curl", "--silent", "--fail", "-X", "POST", "-d", f"@{tmp_path / 'request.json'}"]  # noqa: RUF005
        + [target.url(f"/v1/models/{MODEL}:predict")],
        check=True,
        capture_output=True,
    )
    (prediction,) = json.loads(result.stdout)["predictions"]
    assert prediction["label"].endswith("@2")
