"""Writes a blessing as TFX's Evaluator does, so that pushers and people can read it."""

from collections.abc import Iterable

from tfx.components.evaluator import constants
from tfx.types import Artifact
from tfx.utils import io_utils


def bless(blessing: Artifact, blessed: bool, reasons: Iterable[str], of: Artifact) -> None:
    """Fills in a blessing artifact.

    Args:
        blessing: gets the file `BLESSED` or `NOT_BLESSED`, with the reasons in it, and the custom
            properties `blessed`, 1 or 0, `current_model` and `current_model_id`.
        blessed: whether its gate was passed.
        reasons: a sentence for each reason why not.
        of: the model that was judged.
    """
    name = constants.BLESSED_FILE_NAME if blessed else constants.NOT_BLESSED_FILE_NAME
    io_utils.write_string_file(f"{blessing.uri}/{name}", "\n".join(reasons))
    blessing.set_int_custom_property(
        constants.ARTIFACT_PROPERTY_BLESSED_KEY,
        constants.BLESSED_VALUE if blessed else constants.NOT_BLESSED_VALUE,
    )
    blessing.set_string_custom_property(constants.ARTIFACT_PROPERTY_CURRENT_MODEL_URI_KEY, of.uri)
    blessing.set_int_custom_property(constants.ARTIFACT_PROPERTY_CURRENT_MODEL_ID_KEY, of.id)
