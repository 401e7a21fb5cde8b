"""Decoders are silent while a file is read, and afterwards everything is as it was."""

import threading
import warnings

import pytest

from clairvoy.imaging.formats.quiet import OPENCV_LOG, SILENT, quiet


def test_nothing_is_heard_inside_and_all_is_as_before_after():
    before, level = list(warnings.filters), OPENCV_LOG.getLogLevel()
    with quiet():
        warnings.warn("of a decoder", stacklevel=1)
        assert OPENCV_LOG.getLogLevel() == SILENT
    with pytest.raises(ZeroDivisionError), quiet():
        1 / 0  # noqa: B018
    assert warnings.filters == before
    assert OPENCV_LOG.getLogLevel() == level
    with pytest.warns(UserWarning, match="of others"):
        warnings.warn("of others", stacklevel=1)


def test_threads_that_overlap_leave_no_filter_behind():
    before, level = list(warnings.filters), OPENCV_LOG.getLogLevel()
    inside, over = threading.Barrier(2), threading.Event()

    def first():
        with quiet():
            inside.wait()
            over.wait()

    thread = threading.Thread(target=first)
    thread.start()
    with quiet():
        inside.wait()
    # This one is out, the other still in.
    assert OPENCV_LOG.getLogLevel() == SILENT
    over.set()
    thread.join()
    assert warnings.filters == before
    assert OPENCV_LOG.getLogLevel() == level
