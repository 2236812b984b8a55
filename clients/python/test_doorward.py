"""Tests of doorward.py, against bytes and, if DOORWARD_SOCKET names one, against a
sidecar that knows the questions in DOORWARD_QUESTION."""

import json
import os
import pathlib
import re
import unittest

import doorward

GOLDEN = pathlib.Path(__file__).parents[2] / "sidecar" / "protocol" / "testdata" / "v1"


def golden(name):
    text = (GOLDEN / (name + ".hex")).read_text()
    rows = [re.match(r"[0-9a-f]{8}  ([0-9a-f ]+?)  \|", line) for line in text.splitlines()]
    return b"".join(bytes.fromhex(row.group(1)) for row in rows if row)


class Bytes(unittest.TestCase):
    def test_a_question_has_the_golden_bytes(self):
        got = doorward.encode_check(
            "GET", "/bkt/a%20b?acl", [("Host", "s3.example"), ("x-amz-date", "20260102T030405Z")],
            remote="192.0.2.1:4711", tls=13, min_index=7, body_sum=b"\xab" * 32, body=b"<Delete/>",
            bucket_account="000000000000", bucket_policy='{"Statement":[]}',
            facts=[("s3:ExistingObjectTag/class", "secret")])
        self.assertEqual(got, golden("check")[12:])

    def test_a_question_about_each_object_has_the_golden_bytes(self):
        got = doorward.encode_check(
            "POST", "/bkt?delete", [("Host", "s3.example")], remote="192.0.2.1", each=True,
            body=b"<Delete><Object><Key>k</Key></Object></Delete>", facts=[("s3:if-match", "e")])
        self.assertEqual(got, golden("check-each")[12:])
        (a,) = doorward._answers(golden("answer-each")[12:], 1)
        self.assertEqual((a.each, a.allowed, a.resource), (True, True, "arn:aws:s3:::bkt/k"))

    def test_the_golden_answer_is_read(self):
        (a,) = doorward._answers(golden("answer")[12:], 1)
        self.assertEqual((a.decision, a.allowed, a.status, a.code), (doorward.DENY, False, 403, "AccessDenied"))
        self.assertEqual((a.index, a.staleness, a.posix), (41, 12, (1000, 100)))
        self.assertEqual((a.user, a.policy, a.needs), ("alice", "readonly", "s3:ExistingObjectTag/*"))

    def test_every_truncation_is_an_error(self):
        body = golden("answer")[12:]
        for cut in range(len(body)):
            with self.assertRaises((IndexError, doorward.struct.error)):
                list(doorward._answers(body[:cut], 1))

    def test_a_sidecar_that_is_not_there_allows_nothing(self):
        with self.assertRaises(doorward.SidecarError):
            doorward.Sidecar("/nonexistent").check("GET", "/", [])


@unittest.skipUnless(os.environ.get("DOORWARD_SOCKET"), "DOORWARD_SOCKET names no sidecar")
class Live(unittest.TestCase):
    def test_a_sidecar_answers(self):
        question = json.loads(os.environ["DOORWARD_QUESTION"])
        with doorward.Sidecar(os.environ["DOORWARD_SOCKET"]) as sidecar:
            for _ in range(3):
                a = sidecar.check("GET", question["target"], [tuple(h) for h in question["headers"]], remote="192.0.2.1")
                self.assertTrue(a.allowed, a)
                self.assertEqual(a.user, "alice")
            refused = sidecar.check_each("POST", "/bucket?delete", [("Host", "s3.example")], b"<Delete/>")
            self.assertEqual([(a.each, a.allowed) for a in refused], [(False, False)])
            denied = sidecar.check("GET", question["target"], [("Host", "s3.example")])
            self.assertEqual((denied.allowed, denied.code), (False, "AccessDenied"))


if __name__ == "__main__":
    unittest.main()
