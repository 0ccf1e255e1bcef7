"""Speaks enough of MongoDB's wire protocol to be read from, as fast as a client can take it.

    pip install pymongo
    python crates/bench/peers/mongodb_replay.py --port 27099 --rows 1000000
    python crates/bench/peers/stores_peers.py --what read --uri 'mongodb://127.0.0.1:27099/bench?directConnection=true' …

Whatever collection is asked for has ROWS documents of the schema's columns. Each batch is encoded once, so that what is
measured is the client: a server of the wire protocol in Python would be slower than either.
"""

import argparse
import itertools
import re
import socketserver
import struct
from pathlib import Path

import bson

FIRST_BATCH, MOST_BYTES = 101, 16 << 20
HELLO = {"isWritablePrimary": True, "ismaster": True, "helloOk": True, "maxBsonObjectSize": 16 << 20,
         "maxMessageSizeBytes": 48_000_000, "maxWriteBatchSize": 100_000, "minWireVersion": 0, "maxWireVersion": 21,
         "ok": 1.0}


def documents(schema, n):
    text = Path(schema).read_text()
    names = re.findall(r"^ *- \{name: (\w+)", text, re.M) + re.findall(r"^ +column: (\w+)", text, re.M)
    listed = re.findall(r"values: \[([-\d, ]+)\]", text)
    values = [[int(v) for v in some.split(",")] for some in listed] + [[1, -1]]
    ids = (bson.ObjectId() for _ in itertools.count())
    return [bson.encode({"_id": next(ids)} | {name: v[(i * (j + 7) + i // 3) % len(v)]
                                               for j, (name, v) in enumerate(zip(names, values))}) for i in range(n)]


class Batches:
    """Answers of so many documents, each encoded when it is first asked for."""

    def __init__(self, schema):
        self.documents, self.known = documents(schema, 4096), {}

    def most(self, wanted):
        return min(wanted or 1 << 30, MOST_BYTES // len(self.documents[0]))

    def answer(self, kind, cursor, n):
        key = kind, cursor, n
        if key not in self.known:
            parts = []
            for i, document in zip(range(n), itertools.cycle(self.documents)):
                parts += [b"\x03", str(i).encode(), b"\0", document]
            items = b"".join(parts)
            array = struct.pack("<i", len(items) + 5) + items + b"\0"
            # An array among plain elements: the library would take it apart and put it together again.
            rest = bson.encode({"id": bson.Int64(cursor), "ns": "bench.rows"})[4:-1]
            inner = rest + b"\x04" + kind + b"\0" + array
            inner = struct.pack("<i", len(inner) + 5) + inner + b"\0"
            outer = bson.encode({"ok": 1.0})[4:-1] + b"\x03cursor\0" + inner
            self.known[key] = struct.pack("<i", len(outer) + 5) + outer + b"\0"
        return self.known[key]


class Client(socketserver.BaseRequestHandler):
    def handle(self):
        self.left = 0
        try:
            while header := self.exactly(16):
                length, request, _, operation = struct.unpack("<4i", header)
                body = self.exactly(length - 16)
                command = bson.decode(body[5:]) if operation == 2013 else {"hello": 1}
                answer = self.answer(command)
                kind, frame = (2013, b"\0" * 5) if operation == 2013 else (1, b"\0" * 16 + struct.pack("<i", 1))
                length = 16 + len(frame) + len(answer)
                self.request.sendall(struct.pack("<4i", length, 1, request, kind) + frame + answer)
        except (ConnectionError, EOFError):
            pass  # The client has gone.

    def exactly(self, n):
        parts = b""
        while len(parts) < n:
            part = self.request.recv(n - len(parts))
            if not part:
                raise EOFError
            parts += part
        return parts

    def answer(self, command):
        batches = self.server.batches
        name = next(iter(command))
        if name in ("hello", "isMaster", "ismaster"):
            return bson.encode(HELLO)
        if name not in ("find", "getMore"):
            return bson.encode({"n": self.server.rows, "ok": 1.0})
        if name == "find":
            self.left = min(self.server.rows, command.get("limit") or self.server.rows)
        wanted = command.get("batchSize") or (FIRST_BATCH if name == "find" else None)
        n = min(self.left, batches.most(wanted))
        self.left -= n
        return batches.answer(b"firstBatch" if name == "find" else b"nextBatch", 7 if self.left else 0, n)


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True


arguments = argparse.ArgumentParser()
arguments.add_argument("--port", type=int, required=True)
arguments.add_argument("--rows", type=int, default=1_000_000)
arguments.add_argument("--schema", default="schema/phishing.yaml")
chosen = arguments.parse_args()
with Server(("127.0.0.1", chosen.port), Client) as server:
    server.rows, server.batches = chosen.rows, Batches(chosen.schema)
    server.serve_forever()
