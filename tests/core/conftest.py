"""Drawn faces behind a real transform graph, and a network exported behind it, once a session.

TensorFlow is imported by the fixtures that need it, so that tests without it stay quick.
"""

from pathlib import Path
from typing import Any

import pytest

from tests.core.drawn import Face, draw_faces, example

SIZE = 48
# Frequencies that sort the classes otherwise than the alphabet does.
COUNTS = {"surprise": 24, "angry": 6, "happy": 18, "fear": 12}


@pytest.fixture(scope="session")
def faces() -> list[Face]:
    return draw_faces(COUNTS)


@pytest.fixture(scope="session")
def transform_output(faces: list[Face], tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The transform graph of a full pass over the faces, as `tft.TFTransformOutput`."""
    import tfx.v1  # noqa: F401, PLC0415
    import apache_beam as beam  # noqa: PLC0415
    import tensorflow as tf  # noqa: PLC0415
    import tensorflow_transform as tft  # noqa: PLC0415
    import tensorflow_transform.beam as tft_beam  # noqa: PLC0415
    from apache_beam.options.pipeline_options import PipelineOptions  # noqa: PLC0415
    from tensorflow_transform.tf_metadata import dataset_metadata, schema_utils  # noqa: PLC0415

    from pipeline.config import RunSettings  # noqa: PLC0415
    from pipeline.preprocessing import preprocessing_fn  # noqa: PLC0415

    text = tf.io.FixedLenFeature([1], tf.string)
    spec = schema_utils.schema_from_feature_spec({"image": text, "label": text})
    metadata = dataset_metadata.DatasetMetadata(spec)
    rows = [{"image": [face.encoded], "label": [face.label.encode()]} for face in faces]
    folder = tmp_path_factory.mktemp("transform")
    with (
        beam.Pipeline(options=PipelineOptions(RunSettings().beam_args)) as pipeline,
        tft_beam.Context(temp_dir=str(folder / "temporary")),
    ):
        _ = (
            (pipeline | beam.Create(rows), metadata)
            | tft_beam.AnalyzeDataset(lambda inputs: preprocessing_fn(inputs, {"size": SIZE}))
            | tft_beam.WriteTransformFn(str(folder / "output"))
        )
    return tft.TFTransformOutput(str(folder / "output"))


@pytest.fixture(scope="session")
def network(transform_output: Any) -> Any:
    """A small network with moving averages that are not those it was born with."""
    import keras  # noqa: PLC0415
    import numpy as np  # noqa: PLC0415

    from pipeline.config import TrainSettings  # noqa: PLC0415
    from pipeline.model import build_model  # noqa: PLC0415

    keras.utils.set_random_seed(3)
    model = build_model(TrainSettings(filters=[8, 16]), SIZE, len(COUNTS))
    noise = np.random.default_rng(3)
    for variable in model.variables:
        if "moving" in variable.path:
            variable.assign(noise.uniform(0.5, 1.5, variable.shape))
    return model


@pytest.fixture(scope="session")
def saved_model(
    network: Any, transform_output: Any, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The network as `pipeline.signatures.export` writes it."""
    from pipeline import signatures  # noqa: PLC0415

    labels = [name.decode() for name in transform_output.vocabulary_by_name("labels")]
    folder = tmp_path_factory.mktemp("export") / "Format-Serving"
    signatures.export(network, transform_output, labels, SIZE, str(folder), "expression")
    return folder


@pytest.fixture(scope="session")
def example_files(faces: list[Face], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """URI of an Examples artifact with a train split of all faces."""
    import tensorflow as tf  # noqa: PLC0415

    uri = tmp_path_factory.mktemp("examples")
    path = uri / "Split-train" / "data_tfrecord-00000-of-00001.gz"
    path.parent.mkdir()
    with tf.io.TFRecordWriter(str(path), options="GZIP") as writer:
        for face in faces:
            writer.write(example(face))
    return uri
