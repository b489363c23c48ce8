"""What a child does not read, and what it prints."""

from __future__ import annotations

import structlog
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mcpfront.errors import UpstreamError
from mcpfront.upstream.pipes import LOG_LINES_PER_SECOND, MAX_LOG_LINE, StderrDrain, StdinQueue


class Sink:
    """A pipe that fills."""

    def __init__(self, room: int) -> None:
        self.room = room
        self.data = b""
        self.producer: StdinQueue | None = None

    def write(self, data: bytes) -> None:
        """Take bytes; pause the writer when full."""
        self.data += data
        self.room -= len(data)
        if self.room <= 0 and self.producer is not None:
            self.producer.pauseProducing()

    def drain(self, room: int) -> None:
        """Make room."""
        self.room = room
        if self.producer is not None:
            self.producer.resumeProducing()

    def registerProducer(self, producer: StdinQueue, streaming: bool) -> None:
        """Note the writer."""
        self.producer = producer

    def unregisterProducer(self) -> None:
        """Forget the writer."""
        self.producer = None


class StdinQueueTests(SynchronousTestCase):
    """The bounded queue."""

    def test_bound(self) -> None:
        """Over the bound a message is refused, and those that wait keep their order."""
        sink = Sink(1)
        queue = StdinQueue("files", sink, 4)
        for data in (b"a", b"bb", b"cc"):
            queue.write(data)
        self.assertRaisesRegex(UpstreamError, "does not read", queue.write, b"d")
        sink.drain(1)
        self.assertEqual(sink.data, b"abb")
        sink.drain(100)
        queue.write(b"e")
        self.assertEqual(sink.data, b"abbcce")

    def test_closed(self) -> None:
        """After the end nothing is written or kept."""
        sink = Sink(1)
        queue = StdinQueue("files", sink, 4)
        queue.write(b"a")
        queue.write(b"b")
        queue.close()
        queue.close()
        queue.write(b"c" * 100)
        self.assertEqual((sink.data, sink.producer), (b"a", None))

    @given(st.lists(st.one_of(st.binary(min_size=1, max_size=5), st.integers(1, 10))))
    def test_order_and_bound(self, events: list[bytes | int]) -> None:
        """Whatever comes when, accepted messages leave in order, and no more than the bound waits."""
        sink, accepted = Sink(3), b""
        queue = StdinQueue("files", sink, 10)
        for event in events:
            if isinstance(event, int):
                sink.drain(event)
                continue
            try:
                queue.write(event)
            except UpstreamError:
                continue
            accepted += event
        self.assertTrue(accepted.startswith(sink.data))
        self.assertLessEqual(len(accepted) - len(sink.data), 10)
        sink.drain(10_000)
        self.assertEqual(sink.data, accepted)


class StderrDrainTests(SynchronousTestCase):
    """The child's log."""

    def setUp(self) -> None:
        """Make a drain."""
        self.clock = Clock()
        self.capture = structlog.testing.LogCapture()
        self.drain = StderrDrain(self.clock, structlog.wrap_logger(None, processors=[self.capture]))

    def lines(self) -> list[str]:
        """Return the lines told."""
        return [entry["line"] for entry in self.capture.entries if entry["event"] == "stderr"]

    def test_lines(self) -> None:
        """Lines are told whole, however they arrive, and the unfinished one at the end."""
        for data in (b"one\ntw", b"o\n\n", b"thr\xff"):
            self.drain.feed(data)
        self.drain.close()
        self.assertEqual(self.lines(), ["one", "two", "thr\ufffd"])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_long_line(self) -> None:
        """A line is cut at its bound, and what follows on it is not told."""
        for _ in range(100):
            self.drain.feed(b"x" * 1000)
        self.drain.feed(b"\nshort\n")
        self.drain.close()
        self.assertEqual(self.lines(), ["x" * MAX_LOG_LINE, "short"])
        self.assertTrue(self.capture.entries[0]["cut"])

    def test_rate(self) -> None:
        """Over the rate lines are counted, told as a number, and taken again in the next second."""
        for _ in range(5):
            self.drain.feed(b"x\n" * 100)
        self.assertEqual(len(self.lines()), LOG_LINES_PER_SECOND)
        self.clock.advance(1)
        suppressed = [e["suppressed"] for e in self.capture.entries if "suppressed" in e]
        self.assertEqual(suppressed, [400])
        self.drain.feed(b"again\n")
        self.assertEqual(self.lines()[-1], "again")
        self.drain.close()

    @given(st.lists(st.binary(max_size=40)))
    def test_any_split(self, parts: list[bytes]) -> None:
        """How the bytes are split does not change the lines."""
        for data in (parts, [b"".join(parts)]):
            self.setUp()
            for part in data:
                self.drain.feed(part)
            self.drain.close()
            expected = [line.decode("utf-8", "replace").rstrip() for line in b"".join(parts).split(b"\n")]
            self.assertEqual(self.lines(), [line for line in expected if line])
