"""Spare processes."""

from __future__ import annotations

import json

from mcpfront.config.reference import Template
from mcpfront.errors import TooManyRequests
from mcpfront.upstream.budget import SpawnBudget
from mcpfront.upstream.connection import StdioConnection
from mcpfront.upstream.spares import PROFILE_REST
from mcpfront.upstream.stdio import StdioUpstream
from tests.upstream.fakes import ADA, BEN, UpstreamCase, notification, request, silent
from tests.upstream.settings import PARAMS

OTHER = b'{"protocolVersion":"2025-06-18","capabilities":{"roots":{"listChanged":true}},"clientInfo":{}}'
OTHER_SPELLING = b'{"capabilities":{ "roots": {"listChanged": true} },"protocolVersion":"2025-06-18"}'


class SpareTests(UpstreamCase):
    """A pool of two."""

    def warm(self, **settings: object) -> StdioUpstream:
        """Make an upstream with two spares."""
        up = self.upstream(warm=2, **settings)
        up.start()
        self.reactor.advance(0)
        return up

    def pid(self, connection: StdioConnection) -> int:
        """Return the process of a connection."""
        return int(json.loads(connection.result)["serverInfo"]["pid"])

    def test_taken(self) -> None:
        """A client with the same revision and capabilities gets a spare, and another one takes its place."""
        up = self.warm()
        self.assertEqual(
            [p.methods for p in self.reactor.processes], [["initialize", "notifications/initialized"]] * 2
        )
        connection = self.open(up)
        self.assertEqual(self.pid(connection), 1000)
        self.assertEqual(len(self.reactor.processes), 3)

    def test_initialized_once(self) -> None:
        """The client's own ``notifications/initialized`` does not reach a spare a second time."""
        connection = self.open(self.warm())
        connection.notify(notification("notifications/initialized"))
        self.call(connection, request())
        self.assertEqual(
            self.reactor.processes[0].methods, ["initialize", "notifications/initialized", "tools/call"]
        )

    def test_cold(self) -> None:
        """Any other client gets a process of its own, initialized with its own params."""
        up = self.warm()
        connection = self.open(up, params=OTHER)
        process = self.reactor.processes[self.pid(connection) - 1000]
        self.assertEqual(process.messages[0]["params"], json.loads(OTHER))

    def test_profile_follows(self) -> None:
        """The pool turns to what was asked for last, and compares meaning, not spelling."""
        up = self.warm()
        self.open(up, params=OTHER)
        self.reactor.pump([0, 0, 0])
        self.assertFalse(self.reactor.processes[0].alive)
        count = len(self.reactor.processes)
        connection = self.open(up, params=OTHER_SPELLING)
        self.assertLess(self.pid(connection), 1000 + count)

    def test_profile_rests(self) -> None:
        """Clients that alternate do not make the pool churn."""
        up = self.warm()
        for _ in range(5):
            self.open(up, BEN, OTHER)
            self.reactor.advance(0)
            self.open(up, ADA, PARAMS)
            self.reactor.advance(0)
        self.assertLessEqual(len(self.reactor.processes), 2 + 10 + 2 + 4)
        self.reactor.advance(PROFILE_REST)
        self.reactor.pump([0, 0])

    def test_what_a_spare_says(self) -> None:
        """A spare's pings are answered; what else it says reaches its session."""
        up = self.warm()
        spare = self.reactor.processes[0]
        spare.say(id=1, method="ping")
        spare.say(id=2, method="roots/list")
        spare.say(method="notifications/tools/list_changed")
        self.assertEqual(spare.messages[-1], {"jsonrpc": "2.0", "id": 1, "result": {}})
        connection = self.open(up)
        heard: list[str] = []
        connection.listen(lambda message: heard.append(message.method))
        self.assertEqual(heard, ["roots/list", "notifications/tools/list_changed"])

    def test_death(self) -> None:
        """A spare that dies is replaced, later and later."""
        self.warm()
        self.reactor.processes[0].exit(1)
        self.reactor.advance(0)
        self.reactor.advance(0)
        self.assertEqual(len(self.reactor.processes), 3)
        self.reactor.processes[2].exit(1)
        self.reactor.advance(0.3)
        self.assertEqual(len(self.reactor.processes), 3)
        self.reactor.advance(0.4)
        self.assertEqual(len(self.reactor.processes), 4)

    def test_broken_server(self) -> None:
        """A server that does not start is not tried in a tight loop."""
        self.reactor.prepare = lambda process: self.reactor.callLater(0, process.exit, 1)
        self.warm()
        self.reactor.pump([0.1] * 100)
        self.assertLess(len(self.reactor.processes), 16)

    def test_restart_uses_the_clients_params(self) -> None:
        """When a taken spare dies, the next process is initialized with the client's own params."""
        connection = self.open(self.warm())
        self.reactor.processes[0].exit(1)
        self.reactor.advance(0)
        self.call(connection, request())
        self.assertEqual(self.last.messages[0]["params"], json.loads(PARAMS))

    def test_counted(self) -> None:
        """Spares count in all, and a taken one counts as the user's."""
        up = self.upstream(SpawnBudget(3), max_per_user=1, warm=2)
        up.start()
        self.reactor.advance(0)
        self.open(up)
        self.failureResultOf(self.opening(up), TooManyRequests)
        self.assertEqual(len(self.reactor.processes), 3)
        self.open(up, BEN)
        self.assertTrue(self.warned("spare process not started"))

    def test_user_isolation(self) -> None:
        """A user's process may come from the pool, too."""
        up = self.warm(isolation="user")
        self.assertEqual(self.pid(self.open(up)), 1000)
        self.assertEqual(self.pid(self.open(up)), 1000)
        self.assertEqual(len(self.reactor.processes), 3)

    def test_shared(self) -> None:
        """A shared server is started ahead, once."""
        up = self.warm(isolation="shared")
        self.assertEqual(self.pid(self.open(up)), 1000)
        self.assertEqual(len(self.reactor.processes), 1)

    def test_no_user_token(self) -> None:
        """A server that needs its user's token has no spares."""
        self.warm(args=[Template("{{token}}", needs_token=True)])
        self.assertEqual(self.reactor.processes, [])

    def test_closed_while_starting(self) -> None:
        """Spares that are still starting are ended with the rest."""
        self.reactor.prepare = silent
        self.warm()
