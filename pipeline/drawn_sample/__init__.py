"""The drawn sample: seeded cartoon faces in the layout of the Kaggle FER2013 archive.

It stands in for a data set when none is given, so that the whole pipeline runs from a fresh
checkout.  Every image is drawn from parameters; nothing in it was photographed or learned.
Modules, in the order that a face is made: ``expressions`` (which muscles act), ``appearance`` (who
it is), ``canvas`` (head pose and projection), ``head``, ``eyes`` and ``mouth`` (the drawing),
``scene`` (background, light, occlusion, camera) and ``archive`` (the zip).
"""

from pipeline.drawn_sample.archive import draw_archive, draw_contact_sheet
from pipeline.drawn_sample.expressions import EXPRESSIONS
from pipeline.drawn_sample.scene import draw_face

__all__ = ["EXPRESSIONS", "draw_archive", "draw_contact_sheet", "draw_face"]
