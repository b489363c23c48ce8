"""What a child is started with."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from unittest import mock

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mcpfront.config.reference import Template
from mcpfront.errors import HandshakeFailed
from mcpfront.upstream.launch import INHERITED, environment, prepare, tool
from mcpfront.upstream.stragglers import VARIABLE
from tests.upstream.fakes import UpstreamCase
from tests.upstream.settings import Settings

PATH = {"PATH": "/usr/bin:/bin"}
NAMES = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ_", min_size=1, max_size=12)


class EnvironmentTests(SynchronousTestCase):
    """The allow-list."""

    @given(st.dictionaries(NAMES, st.just("x")))
    def test_only_what_is_allowed(self, environ: dict[str, str]) -> None:
        """Of any environment a child sees the allowed names alone."""
        seen = environment(Settings(), environ).keys() - {"PATH"}
        self.assertTrue(all(name in INHERITED or name.startswith("LC_") for name in seen))

    def test_configured(self) -> None:
        """Names to pass through and configured values are added, configured values last."""
        settings = Settings(env_passthrough=["A", "B", "MISSING"], env={"B": Template("own")})
        seen = environment(settings, {"A": "1", "B": "2", "C": "3", "LC_ALL": "C"})
        self.assertEqual(
            {k: v for k, v in seen.items() if k != "PATH"}, {"A": "1", "B": "own", "LC_ALL": "C"}
        )


class PrepareTests(SynchronousTestCase):
    """The command line."""

    def test_own_group(self) -> None:
        """A program runs in a session of its own, ends with the gateway and is named by its path."""
        argv = prepare(Settings(command="cat", args=[Template("-u")]), PATH).argv
        self.assertEqual(argv[0], tool("setsid"))
        self.assertEqual(argv[1:5], [tool("setpriv"), "--pdeathsig", "KILL", "--"])
        self.assertEqual(argv[5:], ["/usr/bin/cat", "-u"])

    def test_without_setpriv(self) -> None:
        """Where setpriv is missing, or is one that does not know the option, it is left out."""
        for found in (None, "/bin/busybox"):
            tools = {"setsid": "/usr/bin/setsid", "setpriv": found}
            with mock.patch("mcpfront.upstream.launch.tool", tools.get):
                self.assertEqual(prepare(Settings(command="cat"), PATH).argv[1:], ["/usr/bin/cat"])

    def test_directory_without_env(self) -> None:
        """Where env does not know how, a shell changes the directory."""
        with mock.patch("mcpfront.upstream.launch.tool", {"setsid": "/usr/bin/setsid"}.get):
            argv = prepare(Settings(command="pwd", cwd="/usr"), PATH).argv
        self.assertEqual(subprocess.run(argv, capture_output=True, check=True).stdout, b"/usr\n")

    def test_without_setsid(self) -> None:
        """Without setsid nothing is started."""
        with mock.patch("mcpfront.upstream.launch.tool", lambda _: None):
            self.assertRaisesRegex(HandshakeFailed, "setsid", prepare, Settings(command="cat"), PATH)

    def test_directory(self) -> None:
        """A directory is changed to by env, and a relative command is looked for in it."""
        argv = prepare(Settings(command="bin/cat", cwd="/usr"), PATH).argv
        self.assertEqual(argv[:2], [tool("env"), "--chdir=/usr"])
        self.assertEqual(argv[-1], "/usr/bin/cat")

    def test_missing_directory(self) -> None:
        """A directory that is not there is told."""
        self.assertRaisesRegex(HandshakeFailed, "directory", prepare, Settings(cwd="/no/such"), PATH)

    def test_missing_command(self) -> None:
        """A command that is not there is named, its arguments are not."""
        settings = Settings(command="no-such", args=[Template("s3cret")])
        error = self.assertRaises(HandshakeFailed, prepare, settings, PATH)
        self.assertIn("'no-such'", error.message)
        self.assertNotIn("s3cret", error.message)

    def test_installed_beside_the_gateway(self) -> None:
        """A program of the gateway's own environment is found although that is not on the PATH."""
        name = Path(sys.executable).name
        argv = prepare(Settings(command=name), {"PATH": "/nowhere"}).argv
        self.assertIn(str(Path(sys.executable).parent / name), argv)

    def test_childs_own_path(self) -> None:
        """The command is looked for on the path that the child gets."""
        settings = Settings(command="cat", env={"PATH": Template("/nowhere")})
        self.assertRaises(HandshakeFailed, prepare, settings, PATH)

    def test_user_token(self) -> None:
        """A server that needs its user's token is not started with a placeholder."""
        settings = Settings(env={"KEY": Template("{{token}}", needs_token=True)})
        self.assertRaisesRegex(HandshakeFailed, "personal token", prepare, settings, PATH)

    def test_not_shown(self) -> None:
        """What is started does not show in a traceback."""
        launch = prepare(Settings(args=[Template("s3cret")], env={"A": Template("s3cret")}), PATH)
        self.assertNotIn("s3cret", repr(launch))


class SpawnTests(UpstreamCase):
    """What the system says to it."""

    def test_no_resources(self) -> None:
        """When the system cannot start a process the client is told, without its arguments."""
        up = self.upstream(args=[Template("s3cret")])

        def fail(*_: object, **__: object) -> None:
            raise OSError(24, "Too many open files: s3cret")

        self.patch(self.reactor, "spawnProcess", fail)
        text = self.failure(self.opening(up), HandshakeFailed)
        self.assertIn("could not be started by the system", text)
        self.assertNotIn("s3cret", text + str(self.capture.entries))

    def test_command(self) -> None:
        """The process is started with its command and no more environment than it may see."""
        self.open(self.upstream())
        mark = self.last.env.pop(VARIABLE)
        self.assertEqual((self.last.argv[-1], self.last.env), (sys.executable, PATH))
        self.assertRegex(mark, "^[0-9a-f]{32}$")

    def test_mark(self) -> None:
        """Every process gets a mark of its own, in front of a large environment, whatever is configured."""
        up = self.upstream(env={"A": Template("x" * 1000), VARIABLE: Template("own")})
        self.open(up)
        self.open(up)
        marks = [process.env[VARIABLE] for process in self.reactor.processes]
        self.assertEqual(len({*marks, "own"}), 3)
        self.assertEqual(next(iter(self.last.env)), VARIABLE)
