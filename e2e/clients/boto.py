import json
import sys

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

endpoint, service, verb, argument = sys.argv[1:5]
client = boto3.client(service, endpoint_url=endpoint, config=Config(s3={"addressing_style": "path"}, retries={"max_attempts": 0}))
try:
    if service == "s3":
        bucket, key = argument.split("/", 1)
        if verb == "get":
            client.get_object(Bucket=bucket, Key=key)["Body"].read()
        else:
            client.put_object(Bucket=bucket, Key=key, Body=b"region,amount\nnorth,42\n")
    else:
        print(json.dumps(getattr(client, verb)(**json.loads(argument)), default=str))
except ClientError as e:
    sys.exit(e.response["Error"]["Code"] + ": " + e.response["Error"]["Message"])
