import sys
import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

endpoint, verb, name = sys.argv[1:4]
bucket, key = name.split("/", 1)
s3 = boto3.client("s3", endpoint_url=endpoint, config=Config(s3={"addressing_style": "path"}, retries={"max_attempts": 0}))
try:
    if verb == "get":
        s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    else:
        s3.put_object(Bucket=bucket, Key=key, Body=b"region,amount\nnorth,42\n")
except ClientError as e:
    sys.exit(e.response["Error"]["Code"])
