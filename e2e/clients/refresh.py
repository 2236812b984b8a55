"""One boto3 client, across the expiry of its credentials.

Reads an object, waits for a line on standard input, reads it again, and says whom it
signed as each time.
"""

import functools
import sys

import boto3
import botocore.session
from botocore.config import Config
from botocore.credentials import AssumeRoleCredentialFetcher, DeferredRefreshableCredentials

how, s3, sts, role = sys.argv[1:5]
session = botocore.session.get_session()
if how == "assume-role":
    # What a profile with role_arn does, at an endpoint that this botocore cannot be
    # told in a profile.
    creator = functools.partial(session.create_client, endpoint_url=sts, config=Config(parameter_validation=False))  # for the 3 seconds
    fetcher = AssumeRoleCredentialFetcher(creator, session.get_credentials(), role, extra_args={"DurationSeconds": 3})
    session._credentials = DeferredRefreshableCredentials(fetcher.fetch_credentials, "assume-role")
boto = boto3.Session(botocore_session=session)
client = boto.client("s3", endpoint_url=s3, config=Config(s3={"addressing_style": "path"}, retries={"max_attempts": 0}))
used = []
client.meta.events.register("before-send.s3", lambda request, **_: used.append(request.headers["Authorization"].decode().split("Credential=")[1].split("/")[0]))
for _ in range(2):
    client.get_object(Bucket="shift", Key="key")["Body"].read()
    print(used[-1], session.get_credentials()._expiry_time.isoformat(), flush=True)
    sys.stdin.readline()
