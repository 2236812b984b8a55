"""Round trips of boto3: argv is endpoint, bucket, a large file, and the keys as JSON.
Exits with a message at the first thing that is not as it should be."""
import hashlib
import json
import sys
import urllib.request

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.config import Config

endpoint, bucket, large, keys = sys.argv[1], sys.argv[2], sys.argv[3], json.loads(sys.argv[4])
# This boto3 presigns with Signature Version 2 unless it is told otherwise.
client = boto3.client("s3", endpoint_url=endpoint, config=Config(
    signature_version="s3v4", s3={"addressing_style": "path"}, retries={"max_attempts": 0}))


def want(what, got, expected):
    if got != expected:
        sys.exit(f"{what}: got {got!r}, want {expected!r}")


def fetch(key):
    return client.get_object(Bucket=bucket, Key=key)["Body"].read()


def send(url, method, data=None):
    with urllib.request.urlopen(urllib.request.Request(url, data=data, method=method)) as answer:
        return answer.read()


client.create_bucket(Bucket=bucket)
want("location", client.get_bucket_location(Bucket=bucket)["LocationConstraint"], None)
contents = {key: ("content of " + key).encode() for key in keys}
for key, data in contents.items():
    client.put_object(Bucket=bucket, Key=key, Body=data, Metadata={"word": "a  b"})
for key, data in contents.items():
    want("get " + key, fetch(key), data)
    head = client.head_object(Bucket=bucket, Key=key)
    want("head " + key, (head["ContentLength"], head["Metadata"]), (len(data), {"word": "a  b"}))
    client.copy_object(Bucket=bucket, Key="copies/" + key, CopySource={"Bucket": bucket, "Key": key})
    want("copy of " + key, fetch("copies/" + key), data)
    want("presigned get of " + key, send(client.generate_presigned_url("get_object", {"Bucket": bucket, "Key": key}), "GET"), data)
    send(client.generate_presigned_url("put_object", {"Bucket": bucket, "Key": "sent/" + key}), "PUT", data)
    want("presigned put of " + key, fetch("sent/" + key), data)
want("a range", client.get_object(Bucket=bucket, Key=keys[0], Range="bytes=3-5")["Body"].read(), contents[keys[0]][3:6])

everything = sorted(keys + ["copies/" + k for k in keys] + ["sent/" + k for k in keys], key=lambda k: k.encode())
for name in "list_objects", "list_objects_v2":
    pages = client.get_paginator(name).paginate(Bucket=bucket, PaginationConfig={"PageSize": 7})
    want(name, [o["Key"] for page in pages for o in page["Contents"]], everything)
folders = client.list_objects_v2(Bucket=bucket, Prefix="copies/", Delimiter="/")
want("folders", sorted(p["Prefix"] for p in folders["CommonPrefixes"]),
     sorted({"copies/" + k.split("/")[0] + "/" for k in keys if "/" in k}))

parts = TransferConfig(multipart_threshold=8 << 20, multipart_chunksize=8 << 20, max_concurrency=2)
client.upload_file(large, bucket, "large", Config=parts)
client.copy({"Bucket": bucket, "Key": "large"}, bucket, "large copy", Config=parts)
client.download_file(bucket, "large copy", large + ".boto3", Config=parts)
sums = [hashlib.sha256(open(name, "rb").read()).hexdigest() for name in (large, large + ".boto3")]
want("64 MiB in parts, copied in parts", sums[1], sums[0])

client.put_object(Bucket=bucket, Key="kept", Body=b"the policy keeps this one")
doomed = everything + ["large", "large copy", "kept"]
answer = client.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": k} for k in doomed]})
want("deleted", sorted(d["Key"] for d in answer["Deleted"]), sorted(everything + ["large", "large copy"]))
want("not deleted", [(e["Key"], e["Code"]) for e in answer["Errors"]], [("kept", "AccessDenied")])
want("what is left", [o["Key"] for o in client.list_objects_v2(Bucket=bucket)["Contents"]], ["kept"])
