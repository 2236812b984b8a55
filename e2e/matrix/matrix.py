"""Runs the steps of a matrix with boto3: one process, one JSON document in, one out."""
import json
import sys

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

job = json.load(sys.stdin)
config = Config(parameter_validation=False, retries={"max_attempts": 1})
clients, saved, results = {}, job["saved"], []


def client(who, service):
    if (who, service) not in clients:
        key, secret = job["credentials"][who]
        clients[who, service] = boto3.client(
            service, endpoint_url=job["endpoint"], region_name="us-east-1", config=config,
            aws_access_key_id=key, aws_secret_access_key=secret)
    return clients[who, service]


for step in job["steps"]:
    text = json.dumps(step["params"])
    for name, value in saved.items():
        text = text.replace("$" + name, value)
    method = client(step["as"], step["service"]).meta.method_to_api_mapping
    name = next(m for m, action in method.items() if action == step["action"])
    try:
        answer = getattr(client(step["as"], step["service"]), name)(**json.loads(text))
        result = {"code": "", "truncated": bool(answer.get("IsTruncated"))}
        if step.get("save"):
            variable, path = step["save"].split("=")
            value = answer
            for part in path.split("."):
                value = value[part]
            saved[variable] = value
    except ClientError as e:
        result = {"code": e.response["Error"]["Code"], "truncated": False}
    results.append(result)
json.dump(results, sys.stdout)
