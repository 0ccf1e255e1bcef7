"""Tells schemathesis how a Parquet file is sent and that one came back."""

import schemathesis


@schemathesis.serializer("application/vnd.apache.parquet")
def parquet(_context, value):
    return value.encode() if isinstance(value, str) else bytes(value)


@schemathesis.deserializer("application/vnd.apache.parquet")
def opened(_context, response):
    assert response.content[:4] == response.content[-4:] == b"PAR1"
    return "a file"
