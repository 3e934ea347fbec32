import threading

from clients.webcam.slot import Slot


def test_the_newest_thing_wins_and_the_others_are_counted() -> None:
    slot: Slot[int] = Slot()
    for number in range(5):
        slot.put(number)
    assert slot.take(timeout=0) == 4
    assert slot.dropped == 4


def test_nothing_is_there_once_it_was_taken() -> None:
    slot: Slot[int] = Slot()
    slot.put(1)
    slot.take(timeout=0)
    assert slot.take(timeout=0) is None


def test_who_waits_loses_nothing() -> None:
    slot: Slot[int] = Slot()

    def put_all() -> None:
        for number in range(100):
            slot.put(number, wait=True)

    thread = threading.Thread(target=put_all)
    thread.start()
    taken = [slot.take(timeout=10) for _ in range(100)]
    thread.join()
    assert taken == list(range(100))
    assert slot.dropped == 0


def test_closing_lets_those_who_wait_go_on() -> None:
    slot: Slot[int] = Slot()
    slot.put(1)
    thread = threading.Thread(target=slot.put, args=(2,), kwargs={"wait": True})
    thread.start()
    slot.close()
    thread.join(timeout=10)
    assert not thread.is_alive()
