"""Reads expressions from faces in front of a camera, with the model that the pipeline pushed.

In the order that a frame flows: `sources` and `capture` (where it comes from), `detection` and
`tracking` (the faces in it), `crops`, `backends` and `inference` (what the model says of them),
`drawing`, `window`, `recording`, `journal` and `summary` (what becomes of that); `loop` joins them.

Nothing here imports TensorFlow or TFX: the program starts in about a second, and the dependency
group `clients` is all it needs.
"""
