"""Looks at a collection, or writes to it, with the client that people use; prints JSON.

Arguments: address of the server, database, collection, what to do.
"""

import json
import sys

import pymongo
from bson import ObjectId

uri, database, collection, what = sys.argv[1:5]
client = pymongo.MongoClient(uri, directConnection=True, serverSelectionTimeoutMS=5000)
found = client[database][collection]
if what == "summary":
    documents = list(found.find())
    ids = {str(d["_id"]) for d in documents}
    answer = {
        "count": len(documents),
        "distinct_ids": len(ids),
        "collections": sorted(client[database].list_collection_names()),
        "indexes": sorted(",".join(i["key"]) for i in found.list_indexes()),
        "first": {k: v for k, v in documents[0].items() if k != "_id"} if documents else None,
    }
elif what == "insert":
    documents = [json.loads(line) for line in sys.stdin]
    for document in documents:
        if isinstance(document.get("_id"), dict):
            document["_id"] = ObjectId(document["_id"]["$oid"])
    if documents:
        found.insert_many(documents)
    answer = len(documents)
elif what == "index":
    answer = found.create_index([(sys.argv[5], 1)], unique="unique" in sys.argv[6:])
elif what == "drop":
    answer = found.drop()
print(json.dumps(answer, ensure_ascii=False, default=str))
