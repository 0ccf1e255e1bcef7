"""Serves the files of a directory and the pages of an API, and does what servers do on bad days.

    python http_server.py DIRECTORY [CERTIFICATE KEY]

Prints its port, and then a line for each request: its path, who asked, and how many bytes of a body went out. Beside
/files/NAME, which knows ETag, Range and If-None-Match: /dated/NAME which knows the time of the last change,
/plain/NAME without either, /broken/NAME which never comes to its end, /cut/NAME which breaks off twice, /cutplain/NAME likewise without ETag, /busy/NAME which
asks to wait once, /down which always fails, /hang, /drip, /kept/NAME for those who may, /moved/NAME, /elsewhere?to=URL,
/own/NAME which gives TOKEN.csv, /stale/NAME which keeps its ETag whatever becomes of it, /packed/NAME?as=CODING, /endless, /spliced/NAME which goes on with another file,
and pages of records.jsonl: /link, /cursor, /urls, /page, /offset, /same,
/clamped which gives its last page for ever.
"""

import base64
import gzip
import hashlib
import json
import ssl
import sys
import time
from collections import Counter
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

DIRECTORY = Path(sys.argv[1])
SIZE = 150
TELLING = ("authorization", "x-key", "range", "if-none-match", "if-modified-since")
seen = Counter()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        url = urlsplit(self.path)
        kind, _, name = url.path[1:].partition("/")
        query = {key: values[-1] for key, values in parse_qs(url.query).items()}
        seen[kind] += 1
        who = {key: value for key, value in self.headers.items() if key.lower() in TELLING}
        self.sent = 0
        try:
            getattr(self, kind, self.missing)(name, query)
        except OSError:
            pass  # The client has gone.
        finally:
            print(json.dumps({"path": self.path, "who": who, "sent": self.sent}), flush=True)

    def missing(self, name, query):
        self.answer(404, b"nothing here")

    def answer(self, status, body, headers=(), cut=None):
        self.send_response(status)
        for key, value in headers:
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.sent += len(body[:cut])
        self.wfile.write(body[:cut])
        if cut is not None:
            # Not for another request, without which the socket would stay.
            self.close_connection = True

    def files(self, name, query, cut=None):
        body = (DIRECTORY / name).read_bytes()
        etag = '"' + hashlib.sha256(body).hexdigest()[:16] + '"'
        headers = [("ETag", etag), ("Accept-Ranges", "bytes")]
        if self.headers.get("If-None-Match") == etag:
            return self.unchanged(headers)
        wanted = self.headers.get("Range")
        if wanted and self.headers.get("If-Range", etag) == etag:
            first = int(wanted.removeprefix("bytes=").split("-")[0])
            last = wanted.split("-")[1]
            end = int(last) + 1 if last else len(body)
            part = ("Content-Range", f"bytes {first}-{end - 1}/{len(body)}")
            return self.answer(206, body[first:end], headers + [part], cut)
        self.answer(200, body, headers, cut)

    def unchanged(self, headers):
        self.send_response(304)
        for key, value in headers:
            self.send_header(key, value)
        self.end_headers()

    def stale(self, name, query):
        if self.headers.get("If-None-Match") == '"s"':
            return self.unchanged([("ETag", '"s"')])
        self.answer(200, (DIRECTORY / name).read_bytes(), [("ETag", '"s"')])

    def dated(self, name, query):
        path = DIRECTORY / name
        date = formatdate(path.stat().st_mtime, usegmt=True)
        if self.headers.get("If-Modified-Since") == date:
            return self.unchanged([("Last-Modified", date)])
        self.answer(200, path.read_bytes(), [("Last-Modified", date)])

    def own(self, name, query):
        token = query.get("api_key") or self.headers.get("X-Key") or self.headers.get("Authorization", "").split(" ")[-1]
        self.files(f"{token}.csv", query)

    def packed(self, name, query):
        body = (DIRECTORY / name).read_bytes()
        self.answer(200, gzip.compress(body), [("Content-Encoding", query.get("as", "gzip")), ("ETag", '"p"')])

    def endless(self, name, query):
        """A body without an end, or one that says at once how long it is."""
        self.send_response(200)
        if "length" in query:
            self.send_header("Content-Length", query["length"])
        self.send_header("Connection", "close")
        self.end_headers()
        while True:
            self.wfile.write(b"1,2,0\n" * 10000)
            self.sent += 60000

    def spliced(self, name, query):
        """Breaks off, and then goes on with another file, as servers do that do not heed If-Range."""
        body = (DIRECTORY / name).read_bytes()
        if seen["spliced"] == 1:
            return self.answer(200, b"9" * len(body), [("ETag", '"old"')], 1500)
        new = ("ETag", '"new"')
        if "Range" in self.headers:
            part = ("Content-Range", f"bytes 1500-{len(body) - 1}/{len(body)}")
            return self.answer(206, body[1500:], [part, new])
        self.answer(200, body, [new])

    def plain(self, name, query):
        self.answer(200, (DIRECTORY / name).read_bytes())

    def typed(self, name, query):
        self.answer(200, (DIRECTORY / name).read_bytes(), [("Content-Type", query["type"])])

    def cut(self, name, query):
        self.files(name, query, 1500 if seen["cut"] <= 2 else None)

    def cutplain(self, name, query):
        self.answer(200, (DIRECTORY / name).read_bytes(), cut=1500 if seen["cutplain"] <= 2 else None)

    def broken(self, name, query):
        self.answer(200, (DIRECTORY / name).read_bytes(), cut=10)

    def short(self, name, query):
        """Breaks off, and then gives what was asked for in small parts."""
        body = (DIRECTORY / name).read_bytes()
        if seen["short"] == 1:
            return self.files(name, query, 1500)
        first = int(self.headers["Range"].removeprefix("bytes=").split("-")[0])
        end = min(first + 1000, len(body))
        part = ("Content-Range", f"bytes {first}-{end - 1}/{len(body)}")
        etag = '"' + hashlib.sha256(body).hexdigest()[:16] + '"'
        self.answer(206, body[first:end], [part, ("ETag", etag)])

    def shifted(self, name, query):
        """Breaks off, and then gives another part than was asked for."""
        body = (DIRECTORY / name).read_bytes()
        if "Range" in self.headers:
            part = ("Content-Range", f"bytes 1000-{len(body) - 1}/{len(body)}")
            return self.answer(206, body[1000:], [part])
        self.files(name, query, 1500 if seen["shifted"] == 1 else None)

    def ended(self, name, query):
        """Breaks off behind the last byte."""
        body = (DIRECTORY / name).read_bytes()
        if "Range" in self.headers:
            return self.answer(416, b"no such range", [("Content-Range", f"bytes */{len(body)}")])
        self.send_response(200)
        self.send_header("ETag", '"e"')
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.write(f"{len(body):x}\r\n".encode() + body + b"\r\n")
        self.close_connection = True

    def busy(self, name, query):
        if seen["busy"] == 1:
            return self.answer(429, b"", [("Retry-After", query.get("wait", "1"))])
        self.files(name, query)

    def down(self, name, query):
        self.answer(503, b"")

    def hang(self, name, query):
        time.sleep(30)

    def stall(self, name, query):
        self.send_response(200)
        self.send_header("Content-Length", "1000000")
        self.end_headers()
        self.wfile.write(b"a,b,y\n")
        time.sleep(30)

    def drip(self, name, query):
        self.send_response(200)
        self.send_header("Content-Length", "1000000")
        self.end_headers()
        for _ in range(60):
            self.wfile.write(b"a")
            time.sleep(0.2)

    def kept(self, name, query):
        login = base64.b64encode(b"user:pa:ss").decode()
        allowed = (self.headers.get("Authorization") in ("Bearer t0ken", f"Basic {login}")
                   or self.headers.get("X-Key") == "t0ken" or query.get("api_key") == "t0ken")
        if not allowed:
            return self.answer(401, b"")
        self.files(name, query)

    def moved(self, name, query):
        self.answer(302, b"", [("Location", f"/files/{name}")])

    def elsewhere(self, name, query):
        self.answer(307, b"", [("Location", query["to"])])

    def records(self):
        return [json.loads(line) for line in (DIRECTORY / "records.jsonl").read_text().splitlines()]

    def give(self, start, headers=(), **meta):
        items = self.records()[start:start + SIZE]
        body = json.dumps({"meta": meta, "data": {"items": items}}, indent=1)
        self.answer(200, body.encode(), headers)

    def link(self, name, query):
        start = int(query.get("from", 0))
        more = start + SIZE < len(self.records())
        links = '</link?from=0>; rel="first"' + (f', </link?from={start + SIZE}>; rel="next"' if more else "")
        self.give(start, [("Link", links)])

    def cursor(self, name, query):
        start = int(query.get("after", "c0")[1:])
        more = start + SIZE < len(self.records())
        self.give(start, next=f"c{start + SIZE}" if more else None)

    def urls(self, name, query):
        start = int(query.get("from", 0))
        more = start + SIZE < len(self.records())
        host = query.get("host") or self.headers["Host"]
        self.give(start, next=f"http://{host}/urls?from={start + SIZE}" if more else "")

    def page(self, name, query):
        self.give((int(query["page"]) - 1) * SIZE)

    def offset(self, name, query):
        self.give(int(query["skip"]))

    def clamped(self, name, query):
        page = min(int(query["page"]), 3)
        self.give((page - 1) * SIZE, page=query["page"])

    def same(self, name, query):
        self.give(0)

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
if len(sys.argv) > 2:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[2], sys.argv[3])
    server.socket = context.wrap_socket(server.socket, server_side=True)
print(server.server_port, flush=True)
server.serve_forever()
