import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clients.webcam.geometry import Box, overlap
from clients.webcam.tracking import Tracker, decay

LABELS = ("angry", "happy")
BOXES = st.builds(
    Box, *(st.floats(-500, 500) for _ in range(2)), *(st.floats(1, 500) for _ in range(2))
)


def row(happy: float) -> np.ndarray:
    return np.array([[1 - happy, happy]], np.float32)


@given(BOXES, BOXES)
def test_overlap_is_symmetric_and_between_0_and_1(a: Box, b: Box) -> None:
    assert overlap(a, b) == pytest.approx(overlap(b, a))
    assert 0 <= overlap(a, b) <= 1 + 1e-9


@given(BOXES)
def test_a_box_overlaps_itself_wholly(box: Box) -> None:
    assert overlap(box, box) == pytest.approx(1)


@given(st.floats(0.01, 5), st.integers(1, 50))
def test_smoothing_depends_on_time_and_not_on_the_number_of_frames(
    seconds: float, frames: int
) -> None:
    left = np.prod([1 - decay(seconds / frames, 0.4) for _ in range(frames)])
    assert 1 - left == pytest.approx(decay(seconds, 0.4))


def test_a_face_that_moves_a_little_keeps_its_track() -> None:
    tracker = Tracker()
    numbers = {
        tracker.update([Box(100 + 5 * step, 100, 80, 80)], step / 30)[0].track for step in range(60)
    }
    assert len(numbers) == 1


def test_faces_keep_their_tracks_whatever_order_they_are_found_in() -> None:
    tracker = Tracker()
    left, right = Box(0, 0, 80, 80), Box(300, 0, 80, 80)
    first = tracker.update([left, right], 0.0)
    second = tracker.update([right, left], 0.03)
    assert [face.track for face in second] == [first[1].track, first[0].track]


def test_a_face_that_is_missed_for_a_moment_keeps_its_track_and_one_away_longer_does_not() -> None:
    tracker = Tracker(patience=0.5)
    box = Box(0, 0, 80, 80)
    [first] = tracker.update([box], 0.0)
    tracker.update([], 0.2)
    [second] = tracker.update([box], 0.4)
    [third] = tracker.update([box], 1.0)
    assert first.track == second.track != third.track


def test_probabilities_approach_a_new_answer_with_the_time_constant() -> None:
    tracker = Tracker(smoothing=0.4)
    box = Box(0, 0, 80, 80)
    faces = tracker.update([box], 0.0)
    tracker.answer(faces, row(0.0), LABELS, "1", 0.0)
    faces = tracker.update([box], 0.4)
    [face] = tracker.answer(faces, row(1.0), LABELS, "1", 0.4)
    assert face.probabilities is not None
    assert face.probabilities[1] == pytest.approx(1 - np.exp(-1), abs=1e-6)
    assert face.probabilities.sum() == pytest.approx(1)


def test_one_odd_frame_does_not_change_the_label() -> None:
    tracker = Tracker(smoothing=0.4)
    box, shown = Box(0, 0, 80, 80), []
    for frame in range(30):
        faces = tracker.update([box], frame / 30)
        happy = 0.1 if frame == 15 else 0.9
        shown += [f.label for f in tracker.answer(faces, row(happy), LABELS, "1", frame / 30)]
    assert set(shown) == {"happy"}


def test_a_model_with_other_classes_starts_afresh() -> None:
    tracker = Tracker(smoothing=10)
    box = Box(0, 0, 80, 80)
    faces = tracker.update([box], 0.0)
    tracker.answer(faces, row(1.0), LABELS, "1", 0.0)
    three = np.array([[0.1, 0.2, 0.7]], np.float32)
    [face] = tracker.answer(faces, three, ("a", "b", "c"), "2", 0.1)
    assert (face.label, face.version) == ("c", "2")


def test_a_new_face_is_believed_when_it_was_found_in_three_frames_running() -> None:
    tracker = Tracker()
    there, new = Box(0, 0, 80, 80), Box(300, 0, 80, 80)
    counts = [len(tracker.update([there], 0.0))]
    counts += [len(tracker.update([there, new], step / 30)) for step in range(1, 5)]
    assert counts == [1, 1, 1, 2, 2]


def test_what_is_taken_for_a_face_now_and_then_is_not_believed() -> None:
    tracker = Tracker()
    there, mistake = Box(0, 0, 80, 80), Box(300, 0, 80, 80)
    for step in range(60):
        boxes = [there] if step % 3 == 0 else [there, mistake]
        assert len(tracker.update(boxes, step / 30)) == 1


def test_the_faces_of_a_still_are_believed_at_once() -> None:
    tracker = Tracker(patience=0.5)
    for step in range(3):
        assert len(tracker.update([Box(0, 0, 80, 80), Box(300, 0, 80, 80)], 3.0 * step)) == 2


def test_a_face_without_an_answer_has_no_label() -> None:
    [face] = Tracker().update([Box(0, 0, 80, 80)], 0.0)
    assert face.label is None
