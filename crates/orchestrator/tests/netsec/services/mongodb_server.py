"""Starts nx-27017 with renameCollection as MongoDB documents it.

As it comes (0.8.1) it looks for the collection in the database `admin`, ignores dropTarget and answers
`ok` whatever it did. Everything else is as it comes. Commands run one after another, so that clients
see the collection replaced in one step.
"""

import sys

import nx_27017.handler as handler
from nx_27017.nx_27017 import main

as_it_comes = handler.NeoSQLiteHandler.handle_command


def handle_command(self, message):
    body = next(doc for kind, doc in message["sections"] if kind == "body")
    if "renameCollection" not in body:
        return as_it_comes(self, message)
    with self._lock_for(body["renameCollection"].split(".", 1)[0]):
        return message["request_id"], rename(self, body)


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
    return {"ok": 1}


def refused(code, message):
    return {"ok": 0, "code": code, "errmsg": message}


handler.NeoSQLiteHandler.handle_command = handle_command
sys.exit(main())
