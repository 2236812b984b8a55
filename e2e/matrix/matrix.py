"""Plays the steps of the matrix with boto3 or awscli: one JSON document in, one out."""
import contextlib
import io
import json
import os
import re
import sys

if sys.argv[1] == "awscli":
    import awscli  # it has a botocore of its own, which has to be found before the other
import botocore.session


class Refused(Exception):
    pass


class Boto3:
    """A client object for each service and signer."""

    def __init__(self):
        self.clients = {}

    def client(self, who, service):
        import boto3
        from botocore.config import Config

        if (who, service) not in self.clients:
            key, secret, token = credentials[who]
            self.clients[who, service] = boto3.client(
                service, endpoint_url=job["endpoint"], config=Config(parameter_validation=False),
                aws_access_key_id=key, aws_secret_access_key=secret, aws_session_token=token or None)
        return self.clients[who, service]

    def call(self, who, service, action, params):
        client = self.client(who, service)
        try:
            return getattr(client, name_of(client, action))(**params)
        except client.exceptions.ClientError as e:
            raise Refused(e.response["Error"]["Code"])

    def walk(self, who, service, action, params):
        client = self.client(who, service)
        pages = list(client.get_paginator(name_of(client, action)).paginate(PaginationConfig={"PageSize": 1}, **params))
        return len(pages), sum(map(listed, pages))


def name_of(client, action):
    return next(name for name, of in client.meta.method_to_api_mapping.items() if of == action)


class AWSCLI:
    """The driver that /usr/bin/aws runs, one for each signer. Only its commands are given."""

    def __init__(self):
        self.drivers, self.sent = {}, 0
        os.environ["AWS_SHARED_CREDENTIALS_FILE"] = os.path.join(sys.argv[2], "credentials")
        os.environ["AWS_CONFIG_FILE"] = os.path.join(sys.argv[2], "config")

    def driver(self, who):
        from awscli.clidriver import create_clidriver

        if who not in self.drivers:
            key, secret, token = credentials[who]
            with open(os.environ["AWS_SHARED_CREDENTIALS_FILE"], "a") as f:
                f.write(f"[{who}]\naws_access_key_id={key}\naws_secret_access_key={secret}\n")
                if token:
                    f.write(f"aws_session_token={token}\n")
            with open(os.environ["AWS_CONFIG_FILE"], "a") as f:
                f.write(f"[profile {who}]\nparameter_validation=false\n")
            self.drivers[who] = create_clidriver()
            self.drivers[who].session.register("before-call", self.count)
        return self.drivers[who]

    def count(self, **_):
        self.sent += 1

    def call(self, who, service, action, params, *more):
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            status = self.driver(who).main([
                "--profile", who, "--endpoint-url", job["endpoint"], "--output", "json",
                service, botocore.xform_name(action, "-"), "--cli-input-json", json.dumps(params), *more])
        if status == 0:
            return json.loads(out.getvalue() or "{}")
        code = re.search(r"An error occurred \((\w+)\)", err.getvalue())
        raise Refused(code.group(1) if code else f"exit status {status}: {err.getvalue()[:300]}")

    def walk(self, who, service, action, params):
        before = self.sent
        items = listed(self.call(who, service, action, params, "--page-size", "1"))
        return self.sent - before, items


def can_page(service, action):
    try:
        return bool(models.get_paginator_model(service).get_paginator(action))
    except ValueError:
        return False


def by_hand(who, service, action, params):
    """A walk through a list that the client has no paginator for."""
    pages = items = 0
    params = dict(params, MaxItems=1)
    while True:
        answer = client.call(who, service, action, params)
        pages, items = pages + 1, items + listed(answer)
        if not answer.get("IsTruncated"):
            return pages, items
        params["Marker"] = answer["Marker"]


def listed(answer):
    return sum(len(value) for value in answer.values() if isinstance(value, list))


def play(step):
    if step["as"] not in credentials:
        raise Refused("an earlier step has not made the credentials")
    text = json.dumps(step["params"])
    for name, value in saved.items():
        text = text.replace("$" + name, value)
    what = step["as"], step["service"], step["action"], json.loads(text)
    if step.get("walk"):
        walk = client.walk if can_page(step["service"], step["action"]) else by_hand
        pages, items = walk(*what)
        return {"pages": pages, "items": items}
    answer = client.call(*what)
    if step.get("save"):
        name, path = step["save"].split("=")
        value = answer
        for part in path.split("."):
            value = value[part]
        saved[name] = value
    if step.get("becomes"):
        given = answer["Credentials"]
        credentials[step["becomes"]] = given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"]
    return {}


job = json.load(sys.stdin)
models = botocore.session.get_session()
client = {"boto3": Boto3, "awscli": AWSCLI}[sys.argv[1]]()
credentials, saved, results = job["credentials"], job["saved"], []
for step in job["steps"]:
    try:
        results.append(play(step))
    except Refused as e:
        results.append({"code": str(e)})
json.dump(results, sys.stdout)
