"""Starts nx-27017 with renameCollection as MongoDB documents it.

As it comes (0.8.1) it looks for the collection in the database `admin`, ignores dropTarget and answers
`ok` whatever it did. Everything else is as it comes. Commands run one after another, so that clients
see the collection replaced in one step.

A collection whose name begins with `doubtful` is written to, but to each command's first two tries the
answer is that the majority of a replica set has not followed.
"""

import sys
from collections import Counter

import nx_27017.handler as handler
from nx_27017.nx_27017 import main

as_it_comes = handler.NeoSQLiteHandler.handle_command
WRITES = ("insert", "update", "renameCollection")
doubted = Counter()


def handle_command(self, message):
    body = next(doc for kind, doc in message["sections"] if kind == "body")
    command = next((name for name in WRITES if name in body), None)
    if command != "renameCollection":
        request, answer = as_it_comes(self, message)
    else:
        with self._lock_for(body[command].split(".", 1)[0]):
            request, answer = message["request_id"], rename(self, body)
    if command and body[command].split(".")[-1].startswith("doubtful"):
        doubted[command] += 1
        if doubted[command] <= 2:
            answer["writeConcernError"] = {"code": 64, "errmsg": "waiting for replication timed out"}
    return request, answer


def rename(self, body):
    if body["$db"] != "admin":
        return refused(13, "renameCollection may only be run against the admin database")
    database, old = body["renameCollection"].split(".", 1)
    _, new = body["to"].split(".", 1)
    database = self.get_database(database)
    names = database.list_collection_names()
    if old not in names:
        return refused(26, "Source collection does not exist")
    if new in names:
        if not body.get("dropTarget"):
            return refused(48, "target namespace exists")
        database.drop_collection(new)
    database[old].rename(new)
    # Else the old name would go on meaning the collection.
    for name in (old, new):
        database._collections.pop(name, None)
    return {"ok": 1}


def refused(code, message):
    return {"ok": 0, "code": code, "errmsg": message}


handler.NeoSQLiteHandler.handle_command = handle_command
sys.exit(main())
