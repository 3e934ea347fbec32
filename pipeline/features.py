"""The features of an example, defined once for every component and client.

An example is one image: its encoded bytes, its label and where it came from.
"""

IMAGE_KEY = "image"
"""Encoded JPEG or PNG, one bytes value."""

LABEL_KEY = "label"
"""Class name, one bytes value; absent in unlabelled examples."""

FILE_NAME_KEY = "file_name"
"""Path of the image inside its archive, one bytes value."""

SOURCE_SPLIT_KEY = "source_split"
"""Name of the split as the archive spells it, one bytes value; empty when it has none."""

HEIGHT_KEY = "height"
"""Rows of the source image in pixels, one int64."""

WIDTH_KEY = "width"
"""Columns of the source image in pixels, one int64."""

CONTENT_HASH_KEY = "content_hash"
"""Hex digest of the decoded grey pixels, one bytes value."""

TRAIN_SPLIT = "train"
EVAL_SPLIT = "eval"
UNLABELLED_SPLIT = "unlabelled"
