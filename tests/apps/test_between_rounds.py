"""Ctrl-C is held back until a round is whole; the second is not."""

import signal
import threading

import pytest

from clairvoy.apps.train.between_rounds import interrupts_between_rounds


def test_the_first_waits_for_the_end_of_the_round_and_says_so(capfd):
    done = []

    def train():
        with interrupts_between_rounds() as interrupts:
            interrupts.check()
            assert not interrupts.pressed
            signal.raise_signal(signal.SIGINT)
            done.append("the rest of the round")
            interrupts.check()
            done.append("another round")

    with pytest.raises(KeyboardInterrupt):
        train()
    assert done == ["the rest of the round"]
    assert capfd.readouterr().err == "\nfinishing this update first; Ctrl-C again stops at once\n"
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_the_second_does_not_wait():
    done = []

    def train():
        with interrupts_between_rounds():
            signal.raise_signal(signal.SIGINT)
            done.append("still in the round")
            signal.raise_signal(signal.SIGINT)
            done.append("still in it")

    with pytest.raises(KeyboardInterrupt):
        train()
    assert done == ["still in the round"]


def test_a_handler_of_somebody_else_stays(monkeypatch):
    seen = []
    before = signal.signal(signal.SIGINT, lambda number, frame: seen.append(number))
    try:
        with interrupts_between_rounds() as interrupts:
            signal.raise_signal(signal.SIGINT)
            interrupts.check()
        assert seen == [signal.SIGINT]
    finally:
        signal.signal(signal.SIGINT, before)


def test_in_another_thread_nothing_is_touched():
    told = []

    def work():
        with interrupts_between_rounds() as interrupts:
            interrupts.check()
            told.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert told == [signal.default_int_handler]
