"""An S3 server of a test's own (moto), and boto3 as another client for it: a call a line of standard input.

It ends when standard input does.
"""

import json
import sys
import threading
import urllib.request

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError
from moto.s3.responses import S3Response
from moto.server import ThreadedMotoServer

POLICY = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": ["arn:aws:s3:::mine", "arn:aws:s3:::mine/*"]}],
}


def decide_alone():
    """Lets one write at a time look for an object and make it, as S3 does; moto takes each request on a thread."""
    lock, put = threading.Lock(), S3Response.put_object

    def alone(self):
        with lock:
            return put(self)

    S3Response.put_object = alone


def name_rightly():
    """Names the answer on versioning as S3 does, without which Amazon's own client for Rust does not take it."""
    see = S3Response.get_bucket_versioning

    def named(self):
        status, headers, body = see(self)
        body = body if isinstance(body, str) else body.decode()
        return status, headers, body.replace("GetBucketVersioningResponse", "VersioningConfiguration")

    S3Response.get_bucket_versioning = named


def client(endpoint, service, login):
    retries = Config(retries={"max_attempts": 1}, s3={"addressing_style": "path"})
    return boto3.client(
        service,
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id=login[0],
        aws_secret_access_key=login[1],
        config=retries,
    )


def guard(endpoint):
    """Makes a user who may use one bucket, and has signatures and rights checked from then on."""
    iam = client(endpoint, "iam", ("any", "any"))
    iam.create_user(UserName="netsec")
    iam.put_user_policy(UserName="netsec", PolicyName="mine", PolicyDocument=json.dumps(POLICY))
    key = iam.create_access_key(UserName="netsec")["AccessKey"]
    # As a form, the number would not be found.
    kind = {"Content-Type": "text/plain"}
    urllib.request.urlopen(urllib.request.Request(f"{endpoint}/moto-api/reset-auth", b"0", kind)).read()
    return {"id": key["AccessKeyId"], "secret": key["SecretAccessKey"]}


def call(s3, name, arguments):
    if "File" in arguments:
        with open(arguments.pop("File"), "rb") as file:
            arguments["Body"] = file.read()
    try:
        answer = getattr(s3, name)(**arguments)
    except ClientError as error:
        return {"error": error.response["Error"]["Code"]}
    if "Body" in answer:
        answer["Body"] = answer["Body"].read().decode("latin-1")
    return answer


def main():
    decide_alone()
    name_rightly()
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    print(port, flush=True)
    s3 = client(endpoint, "s3", ("any", "any"))
    for line in sys.stdin:
        name, arguments = json.loads(line)
        answer = guard(endpoint) if name == "guard" else call(s3, name, arguments)
        print(json.dumps(answer, default=str), flush=True)


main()
