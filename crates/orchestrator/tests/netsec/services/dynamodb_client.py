"""boto3 as another client for a DynamoDB server at the port given: a call a line of standard input."""

import json
import sys

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError


def main():
    client = boto3.client(
        "dynamodb",
        endpoint_url=f"http://127.0.0.1:{sys.argv[1]}",
        region_name="us-east-1",
        aws_access_key_id="any",
        aws_secret_access_key="any",
        config=Config(retries={"max_attempts": 1}),
    )
    for line in sys.stdin:
        name, arguments = json.loads(line)
        try:
            answer = getattr(client, name)(**arguments)
        except ClientError as error:
            answer = {"error": error.response["Error"]["Code"]}
        print(json.dumps(answer, default=str), flush=True)


main()
