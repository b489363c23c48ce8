"""Log lines, from structlog and from Twisted."""

import json
import os
from io import StringIO

from twisted.logger import ILogObserver, Logger
from twisted.trial.unittest import SynchronousTestCase

from mcpfront.telemetry.logging import TwistedObserver, configure, get_logger, observer


class LoggingTests(SynchronousTestCase):
    """What reaches the stream."""

    def setUp(self):
        self.addCleanup(configure, {})

    def configured(self, **environ):
        """Configure for JSON and return the stream."""
        stream = StringIO()
        configure({"LOG_FORMAT": "json", **environ}, stream)
        return stream

    def lines(self, stream):
        """Return the events of a stream."""
        return [json.loads(line) for line in stream.getvalue().splitlines()]

    def test_keys(self):
        """A line begins with time, level, component and message."""
        stream = self.configured()
        get_logger("here").info("hello there", a=1)
        self.assertEqual(list(self.lines(stream)[0]), ["time", "level", "component", "msg", "a"])
        self.assertEqual(self.lines(stream)[0]["component"], "here")

    def test_levels(self):
        """LOG_LEVEL decides in any spelling; what it does not know is info."""
        for name, count in (("error", 1), ("warn", 2), ("WARNING", 2), ("info", 3), ("", 3), ("loud", 3),
                            ("debug", 4), (" Trace ", 4)):  # fmt: skip
            stream = self.configured(LOG_LEVEL=name)
            log = get_logger("here")
            for method in (log.error, log.warning, log.info, log.debug):
                method("x")
            self.assertEqual(len(self.lines(stream)), count, name)

    def test_text(self):
        """Without LOG_FORMAT=json lines are logfmt."""
        stream = self.configured(LOG_FORMAT="anything")
        get_logger("here").warning("hello there", a="b c")
        self.assertIn(' level=warning component=here msg="hello there" a="b c"\n', stream.getvalue())

    def test_exception(self):
        """An exception is told with its traceback in one line."""
        stream = self.configured()
        try:
            {}["lost"]
        except KeyError:
            get_logger("here").exception("it failed")
        (event,) = self.lines(stream)
        self.assertEqual(event["level"], "error")
        self.assertIn("KeyError: 'lost'", event["exception"])

    def test_earlier_logger(self):
        """A logger that was made and used before follows a later configuration's form and stream."""
        self.configured()
        log = get_logger("here")
        log.info("x")
        stream = self.configured()
        log.info("y")
        self.assertEqual(self.lines(stream)[0]["msg"], "y")

    def test_dropped_lines(self):
        """Once a stream takes lines again, the first one tells how many are missing."""
        reader, writer = os.pipe()
        stream = os.fdopen(writer, "w")
        self.addCleanup(os.close, reader)
        self.addCleanup(stream.close)
        configure({"LOG_FORMAT": "json"}, stream)
        log = get_logger("here")
        for _ in range(200):
            log.info("x" * 3000)
        os.read(reader, 1 << 20)
        log.info("back")
        lost, back = (json.loads(line) for line in os.read(reader, 1 << 20).splitlines() if line)
        self.assertEqual((lost["msg"], back["msg"]), ("log lines were dropped", "back"))
        self.assertGreater(lost["dropped"], 100)


class TwistedTests(SynchronousTestCase):
    """Twisted's own events."""

    def setUp(self):
        self.stream = StringIO()
        configure({"LOG_LEVEL": "debug", "LOG_FORMAT": "json"}, self.stream)
        self.addCleanup(configure, {})
        self.log = Logger(observer=TwistedObserver(), namespace="some.module")

    def event(self):
        """Return the one event."""
        (line,) = self.stream.getvalue().splitlines()
        return json.loads(line)

    def test_failure(self):
        """A failure is an error with its traceback."""
        try:
            int("broken")
        except ValueError:
            self.log.failure("it {how}", how="failed")
        event = self.event()
        self.assertEqual(
            (event["level"], event["msg"], event["source"]), ("error", "it failed", "some.module")
        )
        self.assertIn("ValueError: invalid literal", event["exception"])

    def test_levels(self):
        """Warnings and errors keep their level, small talk goes down to debug."""
        for tell, level in (
            (self.log.critical, "error"), (self.log.error, "error"), (self.log.warn, "warning"),
            (self.log.info, "debug"), (self.log.debug, "debug"),
        ):  # fmt: skip
            self.stream.truncate(0)
            self.stream.seek(0)
            tell("x")
            self.assertEqual(self.event()["level"], level)

    def test_broken_event(self):
        """An event that cannot be told is told of, and nothing is raised."""
        TwistedObserver()({"log_failure": object()})
        self.assertEqual(self.event()["msg"], "an event could not be logged")

    def test_factory(self):
        """What twistd's option calls gives an observer."""
        self.assertTrue(ILogObserver.providedBy(observer()))
