"""Streams that log lines go to, in every bad state they can be in."""

import os
from io import StringIO

from twisted.trial.unittest import SynchronousTestCase

from mcpfront.telemetry.sink import Sink


class SinkTests(SynchronousTestCase):
    """A sink over a pipe that nobody may be reading."""

    def setUp(self):
        self.reader, writer = os.pipe()
        self.stream = os.fdopen(writer, "w")
        self.sink = Sink(self.stream)
        self.addCleanup(self.close)

    def close(self):
        """Close what is open."""
        self.stream.close()
        if self.reader is not None:
            os.close(self.reader)

    def read(self):
        """Read what there is."""
        return os.read(self.reader, 1 << 20)

    def test_line(self):
        """A line is written at once, with its newline."""
        self.sink.write(b"one")
        self.assertEqual(self.read(), b"one\n")

    def test_full(self):
        """A pipe that is full costs lines, never time; once there is room the loss is known."""
        for _ in range(1000):
            self.sink.write(b"x" * 1000)
        lost = self.sink.dropped
        self.assertGreater(lost, 900)
        self.assertEqual(self.sink.take_dropped(), 0)
        self.assertEqual(self.read().count(b"\n"), 1000 - lost)
        self.assertEqual(self.sink.take_dropped(), lost)
        self.assertEqual(self.sink.take_dropped(), 0)

    def test_cut(self):
        """A long line that did not fit whole does not swallow the next one."""
        self.sink.write(b"a" * 200_000)
        self.read()
        self.sink.write(b"next")
        self.assertEqual(self.sink.dropped, 1)
        self.assertEqual(self.read(), b"\nnext\n")

    def test_broken(self):
        """A reader that went away costs lines and nothing else."""
        os.close(self.reader)
        self.reader = None
        for _ in range(3):
            self.sink.write(b"x")
        self.assertEqual(self.sink.dropped, 3)

    def test_closed(self):
        """A descriptor that was closed costs lines and nothing else."""
        self.stream.close()
        self.sink.write(b"x")
        self.assertEqual(self.sink.dropped, 1)

    def test_plain_stream(self):
        """A stream without a descriptor is written to, as text; a closed one drops."""
        stream = StringIO()
        sink = Sink(stream)
        sink.write("é".encode() + b"\xff")
        self.assertEqual(stream.getvalue(), "é\\xff\n")
        stream.close()
        sink.write(b"x")
        self.assertEqual(sink.dropped, 1)
