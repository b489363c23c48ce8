"""The demo server, driven without processes: lines in, lines out, a clock set by hand."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mcpfront.demo.server import MAX_CALLS, REVISIONS, Server

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)
METHODS = st.sampled_from(
    [
        "initialize",
        "ping",
        "tools/call",
        "tools/list",
        "resources/read",
        "prompts/get",
        "completion/complete",
        "x",
    ]
)


class DemoTests(SynchronousTestCase):
    """A conversation with the demo server."""

    def setUp(self) -> None:
        """Start a server that keeps what it writes."""
        self.clock = Clock()
        self.lines: list[str] = []
        self.server = Server(self.lines.append, self.clock.seconds)

    def say(self, value: object) -> list:
        """Send one value; return what the server wrote for it."""
        before = len(self.lines)
        self.server.receive(json.dumps(value).encode())
        return self.since(before)

    def since(self, before: int) -> list:
        """Return the messages written after a count."""
        return [json.loads(line) for line in self.lines[before:]]

    def ask(self, method: str, params: object = None, id: object = 1) -> dict:
        """Send a request and return its one answer."""
        (answer,) = self.say({"jsonrpc": "2.0", "id": id, "method": method, "params": params or {}})
        self.assertEqual(answer["id"], id)
        return answer

    def initialize(self, capabilities: object = None, revision: str = "2025-11-25") -> dict:
        """Do the handshake."""
        return self.ask("initialize", {"protocolVersion": revision, "capabilities": capabilities or {}})

    def call(self, name: str, arguments: object, id: object = 7, **params: object) -> list:
        """Call a tool; return what came at once."""
        params = {"name": name, "arguments": arguments, **params}
        return self.say({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params})

    def tick(self, seconds: float) -> list:
        """Let time pass; return what came."""
        before = len(self.lines)
        self.clock.advance(seconds)
        self.server.advance()
        return self.since(before)

    def test_revisions(self) -> None:
        """Every known revision is agreed to as asked."""
        for revision in REVISIONS:
            self.assertEqual(self.initialize(revision=revision)["result"]["protocolVersion"], revision)

    def test_unknown_revision(self) -> None:
        """An unknown revision is answered with the newest known one."""
        self.assertEqual(self.initialize(revision="1999-01-01")["result"]["protocolVersion"], REVISIONS[-1])

    def test_before_initialize(self) -> None:
        """Before the handshake only ping is served."""
        self.assertEqual(self.ask("ping")["result"], {})
        self.assertEqual(self.ask("tools/list")["error"]["code"], -32600)

    def test_lists(self) -> None:
        """Tools, resources and prompts are listed."""
        self.initialize()
        tools = [tool["name"] for tool in self.ask("tools/list")["result"]["tools"]]
        self.assertEqual(tools, ["echo", "add", "now", "countdown", "ask"])
        self.assertEqual(self.ask("resources/list")["result"]["resources"][0]["uri"], "demo://about")
        self.assertEqual(self.ask("prompts/list")["result"]["prompts"][0]["name"], "greeting")

    def test_echo(self) -> None:
        """The tool echo returns the message, whatever characters it has."""
        self.initialize()
        message = "línea\n\u2028 \U0001f600 \ud800"
        (answer,) = self.call("echo", {"message": message})
        self.assertEqual(answer["result"]["content"], [{"type": "text", "text": message}])
        self.assertNotIn("\n", self.lines[-1])

    def test_add(self) -> None:
        """The tool add adds integers of any size and numbers with a point, also as structured content."""
        self.initialize()
        (answer,) = self.call("add", {"a": 2**70, "b": 1})
        self.assertEqual(answer["result"]["structuredContent"], {"sum": 2**70 + 1})
        (answer,) = self.call("add", {"a": 0.5, "b": 1})
        self.assertEqual(answer["result"]["content"][0]["text"], "1.5")

    def test_add_refuses(self) -> None:
        """Wrong arguments are told inside the result, where a model sees them."""
        self.initialize()
        for arguments in (
            {},
            {"a": True, "b": 1},
            {"a": "1", "b": 1},
            {"a": 1e308, "b": 1e308},
            {"a": 1e308, "b": 10**400},
            {"a": int("9" * 4300), "b": 1},
        ):
            (answer,) = self.call("add", arguments)
            self.assertTrue(answer["result"]["isError"], arguments)

    def test_now(self) -> None:
        """The tool now tells a time in UTC."""
        self.initialize()
        (answer,) = self.call("now", {})
        self.assertRegex(answer["result"]["content"][0]["text"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")

    def test_countdown(self) -> None:
        """The tool countdown tells progress with the client's token, then its result."""
        self.initialize()
        self.assertEqual(self.call("countdown", {"from": 2, "interval": 1}, _meta={"progressToken": "t"}), [])
        (first,) = self.tick(1)
        self.assertEqual(first["params"], {"progressToken": "t", "progress": 1, "total": 2, "message": "1"})
        second, answer = self.tick(1)
        self.assertEqual(second["params"]["progress"], 2)
        self.assertEqual(answer["result"]["content"][0]["text"], "2 1 0")
        self.assertIsNone(self.server.due)

    def test_countdown_without_token(self) -> None:
        """Without a progress token nothing comes before the result."""
        self.initialize()
        self.call("countdown", {"from": 1, "interval": 1})
        (answer,) = self.tick(1)
        self.assertEqual(answer["id"], 7)

    def test_others_during_countdown(self) -> None:
        """Other requests are answered while a call waits."""
        self.initialize()
        self.call("countdown", {})
        self.assertEqual(self.ask("ping", id="p")["result"], {})

    def test_cancelled(self) -> None:
        """A cancelled call is never answered."""
        self.initialize()
        self.call("countdown", {"from": 1, "interval": 1})
        self.say({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 7}})
        self.assertIsNone(self.server.due)
        self.assertEqual(self.tick(5), [])

    def test_same_id_twice(self) -> None:
        """An id that is in flight is refused."""
        self.initialize()
        self.call("countdown", {})
        (answer,) = self.call("countdown", {})
        self.assertEqual(answer["error"]["code"], -32600)

    def test_too_many_calls(self) -> None:
        """Calls in flight are bounded."""
        self.initialize()
        for number in range(MAX_CALLS):
            self.assertEqual(self.call("countdown", {}, id=f"c{number}"), [])
        (answer,) = self.call("countdown", {})
        self.assertEqual(answer["error"]["code"], -32000)

    def test_ask(self) -> None:
        """The tool ask elicits an answer and returns it."""
        self.initialize({"elicitation": {}})
        (question,) = self.call("ask", {"question": "why?"})
        self.assertEqual((question["method"], question["params"]["message"]), ("elicitation/create", "why?"))
        result = {"action": "accept", "content": {"answer": "because"}}
        (answer,) = self.say({"jsonrpc": "2.0", "id": question["id"], "result": result})
        self.assertEqual(answer["result"]["content"][0]["text"], "The answer is: because")

    def test_ask_declined(self) -> None:
        """A declined question is a result, not an error."""
        self.initialize({"elicitation": {}})
        (question,) = self.call("ask", {"question": "why?"})
        (answer,) = self.say({"jsonrpc": "2.0", "id": question["id"], "result": {"action": "decline"}})
        self.assertIn("decline", answer["result"]["content"][0]["text"])
        self.assertEqual(self.say({"jsonrpc": "2.0", "id": question["id"], "result": {}}), [])

    def test_ask_unanswered(self) -> None:
        """A question without an answer ends by its deadline, or by the client's error."""
        self.initialize({"elicitation": {}})
        self.call("ask", {"question": "why?"})
        (answer,) = self.tick(301)
        self.assertTrue(answer["result"]["isError"])
        (question,) = self.call("ask", {"question": "why?"})
        error = {"code": -1, "message": "no"}
        (answer,) = self.say({"jsonrpc": "2.0", "id": question["id"], "error": error})
        self.assertTrue(answer["result"]["isError"])

    def test_ask_cancelled(self) -> None:
        """Cancelling a call cancels the question it has put to the client."""
        self.initialize({"elicitation": {}})
        (question,) = self.call("ask", {"question": "why?"})
        cancelled = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 7}}
        (notice,) = self.say(cancelled)
        self.assertEqual(notice["params"]["requestId"], question["id"])

    def test_ask_without_capability(self) -> None:
        """A client without elicitation is told so."""
        self.initialize()
        (answer,) = self.call("ask", {"question": "why?"})
        self.assertIn("elicitation", answer["result"]["content"][0]["text"])

    def test_logging(self) -> None:
        """Log messages come once a level is set, and from that level up."""
        self.initialize()
        self.assertEqual(self.call("countdown", {}), [])
        self.ask("logging/setLevel", {"level": "info"})
        (told,) = self.call("countdown", {}, id=8)
        self.assertEqual((told["method"], told["params"]["level"]), ("notifications/message", "info"))
        self.ask("logging/setLevel", {"level": "error"})
        self.assertEqual(self.call("countdown", {}, id=9), [])
        self.assertEqual(self.ask("logging/setLevel", {"level": "loud"})["error"]["code"], -32602)

    def test_resource_prompt_completion(self) -> None:
        """The resource, the prompt and the completion of its style are served."""
        self.initialize()
        contents = self.ask("resources/read", {"uri": "demo://about"})["result"]["contents"]
        self.assertIn("echo", contents[0]["text"])
        prompt = {"name": "greeting", "arguments": {"name": "Ada", "style": "formal"}}
        message = self.ask("prompts/get", prompt)["result"]["messages"][0]
        self.assertEqual(message["content"]["text"], "Write a formal greeting to Ada.")
        ref = {"ref": {"type": "ref/prompt", "name": "greeting"}, "argument": {"name": "style", "value": "f"}}
        values = self.ask("completion/complete", ref)["result"]["completion"]["values"]
        self.assertEqual(values, ["formal", "friendly"])

    def test_unknown_names(self) -> None:
        """Unknown tools, resources, prompts and methods have their JSON-RPC codes."""
        self.initialize()
        for method, params, code in (
            ("tools/call", {"name": "nope"}, -32602),
            ("tools/call", {"name": ["echo"]}, -32602),
            ("resources/read", {"uri": "demo://nope"}, -32602),
            ("prompts/get", {"name": "nope"}, -32602),
            ("prompts/get", {"name": "greeting"}, -32602),
            ("completion/complete", {}, -32602),
            ("nope", {}, -32601),
        ):
            self.assertEqual(self.ask(method, params)["error"]["code"], code, method)

    def test_no_messages(self) -> None:
        """What is no JSON-RPC message is answered with a code and a null id."""
        self.server.receive(b"{nonsense")
        self.server.receive(b"[" * 100_000)
        self.server.receive(b'{"jsonrpc":"2.0","id":NaN,"method":"ping"}')
        self.assertEqual([one["error"]["code"] for one in self.since(0)], [-32700] * 3)
        for value in (
            1,
            [],
            {},
            {"jsonrpc": "2.0", "id": None, "method": "ping"},
            {"jsonrpc": "2.0", "id": 1},
        ):
            (answer,) = self.say(value)
            self.assertEqual((answer["id"], answer["error"]["code"]), (None, -32600))

    def test_batch(self) -> None:
        """A batch is answered by one array, when its last call is done."""
        self.initialize()
        ping = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
        slow = {"name": "countdown", "arguments": {"from": 1, "interval": 1}}
        call = {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": slow}
        self.assertEqual(self.say([ping, call, 5, {"jsonrpc": "2.0", "method": "notifications/x"}]), [])
        (answers,) = self.tick(1)
        self.assertEqual([answer["id"] for answer in answers], [1, None, 2])

    def test_batch_cancelled(self) -> None:
        """A batch whose slow call is cancelled is answered without it."""
        self.initialize()
        ping = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
        call = {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "countdown"}}
        self.assertEqual(self.say([ping, call]), [])
        cancelled = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 2}}
        (answers,) = self.say(cancelled)
        self.assertEqual([answer["id"] for answer in answers], [1])

    @given(value=JSON)
    def test_any_value(self, value: object) -> None:
        """No JSON value makes the server fail."""
        server = Server(json.loads, self.clock.seconds)
        server.receive(json.dumps(value).encode())

    @given(method=METHODS, params=JSON, arguments=JSON, id=st.integers() | st.text())
    def test_any_params(self, method: str, params: object, arguments: object, id: object) -> None:
        """A request with any params gets at most one answer at once, and it carries its id."""
        lines: list[str] = []
        server = Server(lines.append, self.clock.seconds)
        start = {"protocolVersion": "2025-11-25", "capabilities": {}}
        server.receive(
            json.dumps({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": start}).encode()
        )
        if isinstance(params, dict):
            params = {**params, "arguments": arguments, "name": "add"}
        server.receive(json.dumps({"jsonrpc": "2.0", "id": id, "method": method, "params": params}).encode())
        self.assertEqual([json.loads(line)["id"] for line in lines[1:]], [id])
