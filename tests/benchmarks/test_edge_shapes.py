"""What a shape costs, as far as it can be told without a clock."""

import pytest

from benchmarks.edge_shapes import multiplications, settings_of
from pipeline.config import TrainSettings
from pipeline.errors import UserError
from pipeline.model import build_model


def test_multiplications_are_those_of_convolutions_and_the_dense_layer() -> None:
    settings = TrainSettings(filters=[4, 8], convolutions=1)
    # 8x8 images: a stem of stride 2 gives 4x4, pooling 2x2.
    by_hand = 4 * 4 * (9 * 1 * 4) + 2 * 2 * (9 * 4 * 8) + 8 * 3
    assert multiplications(build_model(settings, 8, 3)) == by_hand


def test_a_shape_changes_the_edge_profile() -> None:
    settings = settings_of("filters=[8,16] residual_blocks=1")
    assert (settings.filters, settings.residual_blocks) == ([8, 16], 1)
    assert settings.squeeze_excite == 8
    assert settings_of("squeeze_excite=0").filters == [16, 32, 64, 96, 128]


@pytest.mark.parametrize("text", ["filters", "filters=[]", "filters=[8]", "unknown=1"])
def test_what_is_no_shape_is_one_clear_sentence(text: str) -> None:
    with pytest.raises(UserError, match="is no shape"):
        settings_of(text)
