"""Writes records to a store and reads them into columns: `netsec push` and `connectors` beside the client that people use.

    pip install pymongo boto3 'psycopg[binary]' pymysql
    cargo build --release -p orchestrator --features mongodb,s3,sql,dynamodb
    cargo build --release -p connectors --features mongodb,s3,sql,dynamodb --example read
    python crates/bench/peers/stores_peers.py --uri 'mongodb://127.0.0.1:27017/bench' --rows 11055 100000
    python crates/bench/peers/stores_peers.py --uri 's3://bucket' …        (AWS_ENDPOINT_URL and keys in the environment)
    python crates/bench/peers/stores_peers.py --uri 'postgres://…/db' …   (mysql://USER:PASSWORD@HOST:PORT/DB, sqlite://FILE)
    python crates/bench/peers/stores_peers.py --uri dynamodb://bench --rows 11055   (the same variables as for S3)

Each writing and each reading is in a process of its own, in turn; the ratio is that of the medians. `netsec push` checks
every cell before it writes any, and reads back what it has written; the peer reads its file and writes.
"""

import argparse
import csv
import itertools
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import urlsplit

BATCH = 1000


class Mongo:
    def __init__(self, uri):
        import pymongo

        self.uri, self.database = uri, pymongo.MongoClient(uri).get_default_database()

    def address(self, name):
        return f"{self.uri}{'&' if '?' in self.uri else '?'}collection={name}"

    def drop(self, name):
        self.database.drop_collection(name)

    def write(self, name, names, rows):
        batch = []
        for row in rows:
            batch.append(dict(zip(names, map(int, row))))
            if len(batch) == BATCH:
                self.database[name].insert_many(batch, ordered=False)
                batch = []
        if batch:
            self.database[name].insert_many(batch, ordered=False)

    def read(self, name, names):
        columns, n = [[] for _ in names], 0
        for document in self.database[name].find({}, {"_id": 0}, batch_size=2000):
            for column, field in zip(columns, names):
                column.append(document[field])
            n += 1
            if n % 8192 == 0:
                # Columns of this batch; the last one's are let go, as ours are.
                columns = [[] for _ in names]
        return n


def read_table(cursor, name, names):
    """Reads a table into columns, some rows at a time; returns how many there were."""
    n = 0
    cursor.execute(f"SELECT * FROM {name}")
    while batch := cursor.fetchmany(8192):
        columns = list(zip(*batch))
        assert len(columns) >= len(names)
        n += len(batch)
    return n


class Postgres:
    def __init__(self, uri):
        import psycopg

        self.uri, self.connection = uri, psycopg.connect(uri, autocommit=True)

    def address(self, name):
        return f"{self.uri}?table={name}"

    def drop(self, name):
        self.connection.execute(f"DROP TABLE IF EXISTS {name}")

    def write(self, name, names, rows):
        columns = ", ".join(f'"{n}" bigint' for n in names)
        self.connection.execute(f"CREATE TABLE {name} ({columns})")
        with self.connection.cursor().copy(f"COPY {name} FROM STDIN") as copy:
            for row in rows:
                copy.write_row([int(cell) for cell in row])

    def read(self, name, names):
        with self.connection.transaction(), self.connection.cursor(name="peer") as cursor:
            cursor.itersize = 8192
            return read_table(cursor, name, names)


class S3:
    def __init__(self, uri):
        import boto3

        self.bucket, self.client = urlsplit(uri).netloc, boto3.client("s3")

    def address(self, name):
        return f"s3://{self.bucket}/{name}.csv"

    def drop(self, name):
        self.client.delete_object(Bucket=self.bucket, Key=f"{name}.csv")

    def write(self, name, names, rows):
        with tempfile.NamedTemporaryFile("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(names)
            writer.writerows([int(cell) for cell in row] for row in rows)
            file.flush()
            self.client.upload_file(file.name, self.bucket, f"{name}.csv")

    def read(self, name, names):
        with tempfile.NamedTemporaryFile() as file:
            self.client.download_file(self.bucket, f"{name}.csv", file.name)
            columns, n = [[] for _ in names], 0
            with open(file.name, newline="") as lines:
                rows = csv.reader(lines)
                next(rows)
                for row in rows:
                    for column, cell in zip(columns, row):
                        column.append(int(cell))
                    n += 1
                    if n % 8192 == 0:
                        columns = [[] for _ in names]
        return n


class Sql:
    """What MySQL's and SQLite's clients have in common."""

    mark = "?"

    def address(self, name):
        return f"{self.uri}?table={name}"

    def drop(self, name):
        self.run(f"DROP TABLE IF EXISTS {name}")

    def run(self, statement):
        self.connection.cursor().execute(statement)
        self.connection.commit()

    def write(self, name, names, rows):
        self.run(f"CREATE TABLE {name} ({', '.join(f'{n} bigint' for n in names)})")
        insert = f"INSERT INTO {name} VALUES ({', '.join([self.mark] * len(names))})"
        cursor = self.connection.cursor()
        while batch := [[int(cell) for cell in row] for row in itertools.islice(rows, BATCH)]:
            cursor.executemany(insert, batch)
        self.connection.commit()

    def read(self, name, names):
        return read_table(self.cursor(), name, names)


class Mysql(Sql):
    mark = "%s"

    def __init__(self, uri):
        import pymysql

        there = urlsplit(uri)
        self.uri, self.cursors = uri, pymysql.cursors
        self.connection = pymysql.connect(host=there.hostname, port=there.port, user=there.username,
                                          password=there.password, database=there.path[1:])

    def cursor(self):
        return self.connection.cursor(self.cursors.SSCursor)


class Sqlite(Sql):
    def __init__(self, uri):
        import sqlite3

        self.uri, self.connection = uri, sqlite3.connect(urlsplit(uri).path)

    def cursor(self):
        return self.connection.cursor()


class DynamoDB:
    """A table keyed by the number of a row."""

    def __init__(self, _):
        import boto3

        self.client, self.tables = boto3.client("dynamodb"), boto3.resource("dynamodb")

    def address(self, name):
        return f"dynamodb://{name}"

    def drop(self, name):
        try:
            self.client.delete_table(TableName=name)
            self.client.get_waiter("table_not_exists").wait(TableName=name, WaiterConfig={"Delay": 1})
        except self.client.exceptions.ResourceNotFoundException:
            pass

    def write(self, name, names, rows):
        self.client.create_table(TableName=name, BillingMode="PAY_PER_REQUEST",
                                 AttributeDefinitions=[{"AttributeName": "row", "AttributeType": "S"}],
                                 KeySchema=[{"AttributeName": "row", "KeyType": "HASH"}])
        self.client.get_waiter("table_exists").wait(TableName=name, WaiterConfig={"Delay": 1})
        with self.tables.Table(name).batch_writer() as batch:
            for i, row in enumerate(rows):
                batch.put_item(Item={"row": str(i)} | dict(zip(names, map(int, row))))

    def read(self, name, names):
        table, n, more = self.tables.Table(name), 0, {}
        while more is not None:
            page = table.scan(**more)
            columns = [[int(item[field]) for item in page["Items"]] for field in names]
            n += len(columns[0])
            more = {"ExclusiveStartKey": page["LastEvaluatedKey"]} if "LastEvaluatedKey" in page else None
        return n


def store(uri):
    stores = {"mongodb": Mongo, "s3": S3, "postgres": Postgres, "mysql": Mysql, "sqlite": Sqlite, "dynamodb": DynamoDB}
    return stores[urlsplit(uri).scheme](uri)


def names_of(schema):
    text = Path(schema).read_text()
    return re.findall(r"^ *- \{name: (\w+)", text, re.M) + re.findall(r"^ +column: (\w+)", text, re.M)


def make(path, schema, rows):
    """A file of rows that the schema lets pass: each column's listed values in turn."""
    names = names_of(schema)
    listed = re.findall(r"values: \[([-\d, ]+)\]", Path(schema).read_text())
    values = [[int(v) for v in some.split(",")] for some in listed] + [[1, -1]]
    assert len(values) == len(names)
    with open(path, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(names)
        for i in range(rows):
            writer.writerow([v[(i * (j + 7) + i // 3) % len(v)] for j, v in enumerate(values)])


def peer(chosen):
    """One writing or one reading, timed from connecting on."""
    names = names_of(chosen.schema)
    since = time.perf_counter()
    there = store(chosen.uri)
    if chosen.peer == "write":
        with open(chosen.file, newline="") as lines:
            rows = csv.reader(lines)
            there.write("bench_theirs", next(rows), rows)
    else:
        assert there.read("bench_theirs", names) == chosen.rows[0]
    print(f"in {time.perf_counter() - since:.3f} s, peak {peak()}")


def peak():
    return re.search("VmHWM:(.*)", open("/proc/self/status").read())[1].strip()


def timed(command):
    """Seconds of a whole process, and its highest memory where it says so."""
    since = time.perf_counter()
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    seconds = re.search(r"in ([\d.]+) s, peak", said)
    return float(seconds[1]) if seconds else time.perf_counter() - since


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--uri", required=True)
    arguments.add_argument("--rows", type=int, nargs="+", default=[11_055])
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--netsec", default="target/release/netsec")
    arguments.add_argument("--read", default="target/release/examples/read")
    arguments.add_argument("--schema", default="schema/phishing.yaml")
    arguments.add_argument("--what", nargs="+", choices=["write", "read"], default=["write", "read"])
    arguments.add_argument("--peer", help=argparse.SUPPRESS)
    arguments.add_argument("--file", help=argparse.SUPPRESS)
    chosen = arguments.parse_args()
    if chosen.peer:
        return peer(chosen)
    there = store(chosen.uri)
    itself = [sys.executable, __file__, "--uri", chosen.uri, "--schema", chosen.schema]
    for rows in chosen.rows:
        with tempfile.TemporaryDirectory() as directory:
            file = f"{directory}/rows.csv"
            make(file, chosen.schema, rows)
            push = [chosen.netsec, "push", "--dataset", chosen.schema, "--from", file, "--artifacts", directory]
            ours = {"write": push + ["--to", there.address("bench_ours")],
                    "read": [chosen.read, there.address("bench_ours"), chosen.schema]}
            ours = {what: ours[what] for what in chosen.what}
            times = {(what, who): [] for what in ours for who in ("ours", "theirs")}
            for _ in range(chosen.rounds):
                there.drop("bench_ours")
                there.drop("bench_theirs")
                for what, command in ours.items():
                    times[what, "ours"].append(timed(command))
                    theirs = itself + ["--peer", what, "--file", file, "--rows", str(rows)]
                    times[what, "theirs"].append(timed(theirs))
        for what in ours:
            a, b = (statistics.median(times[what, who]) for who in ("ours", "theirs"))
            print(f"{rows} rows, {what}: ours {rows / a:,.0f}/s, peer {rows / b:,.0f}/s, ratio {b / a:.2f} "
                  f"({min(times[what, 'theirs']) / min(times[what, 'ours']):.2f} best to best)")


main()
