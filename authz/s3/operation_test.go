package s3

import (
	"slices"
	"strings"
	"testing"

	"github.com/doorward/doorward/authz/head"
)

func TestTableIsConsistent(t *testing.T) {
	names := map[string]bool{}
	for i := 1; i < len(operations); i++ {
		op := &operations[i]
		if names[op.name] || op.name == "" {
			t.Errorf("row %d: name %q is empty or taken", i, op.name)
		}
		names[op.name] = true
		if methodIndex(op.method) < 0 || op.scope == 0 {
			t.Errorf("%s has no method or scope", op.name)
		}
		if len(op.actions) == 0 && op.method != "OPTIONS" {
			t.Errorf("%s needs nothing", op.name)
		}
		if op.versioned != nil && op.takes&version == 0 && op.body != DeleteBody {
			t.Errorf("%s has actions for a version that it does not take", op.name)
		}
		if prev := &operations[i-1]; op.when != always && prev.method == op.method && prev.sub == op.sub && prev.scope == op.scope && prev.when == always {
			t.Errorf("%s stands behind %s and is never reached", op.name, prev.name)
		}
	}
	if len(operations) > 256 {
		t.Errorf("%d rows do not fit an Operation", len(operations))
	}
}

// TestEveryPairIsInTheTableOrRefused tries every method with every subresource on
// every kind of target.
func TestEveryPairIsInTheTableOrRefused(t *testing.T) {
	m := testMapper(t)
	reached := map[string]bool{}
	for target, s := range map[string]scope{"/": onService, "/b1": onBucket, "/b1/k": onObject} {
		for _, method := range append(methods[:], "PATCH", "TRACE", "CONNECT", "LINK", "") {
			for p := plain; p <= pUploadID; p++ {
				for _, variant := range []string{"", "&id=x", "&list-type=2", "&partNumber=1", "&versionId=v"} {
					for _, headers := range [][]Header{nil, {{"x-amz-copy-source", "src/a"}}, {{"Content-Type", "multipart/form-data; boundary=b"}}} {
						query := params[p].name
						if params[p].kind == upload {
							query += "=u"
						}
						req := &Request{Method: method, Target: target + "?" + query + variant, Host: "s3.example.net", Headers: headers}
						var res Result
						err := m.Map(req, &res)
						got := res.Operation.Name()
						rows := rowsFor(method, s, p)
						if (err == nil) != (got != "") {
							t.Errorf("%s %s: operation %q with error %v", method, req.Target, got, err)
						}
						if got != "" && !slices.Contains(rows, got) && method != "OPTIONS" {
							t.Errorf("%s %s: operation %q is not one of %q", method, req.Target, got, rows)
						}
						reached[got] = true
					}
				}
			}
		}
	}
	for i := 1; i < len(operations); i++ {
		if !reached[operations[i].name] {
			t.Errorf("no request reaches %s", operations[i].name)
		}
	}
}

func rowsFor(method string, s scope, p param) (names []string) {
	for i := range operations {
		if op := &operations[i]; op.method == method && op.scope&s != 0 && op.sub == p {
			names = append(names, op.name)
		}
	}
	return names
}

func TestActionsAndKeysHaveNames(t *testing.T) {
	for a := Action(1); a < numActions; a++ {
		name := a.Name()
		if back, ok := ParseAction(strings.ToUpper(name)); !ok || back != a || !strings.HasPrefix(name, "s3:") {
			t.Errorf("action %d is %q, which parses as %d", a, name, back)
		}
	}
	for _, name := range []string{"", "s3:*", "s3:Get*", "GetObject", "iam:GetUser"} {
		if a, ok := ParseAction(name); ok {
			t.Errorf("%q parses as %s", name, a.Name())
		}
	}
	seen := map[string]bool{}
	for k := Key(1); k < numKeys; k++ {
		if seen[k.Name()] || k.Name() == "" {
			t.Errorf("key %d is %q", k, k.Name())
		}
		seen[k.Name()] = true
	}
	if Action(0).Keys() != 0 || numActions.Keys() != 0 || numActions.Name() != "" || numKeys.Name() != "" || Operation(255).Name() != "" {
		t.Error("ids that are none have names or keys")
	}
}

// Every key that an action takes comes from somewhere: a header, the query, the
// body, the connection, the operation or the S3 server.
func TestEveryKeyHasASource(t *testing.T) {
	sources := everyKeys | listing | reqTags | keys(KeyVersionID, KeyObjectCreation, KeyLockRemainingDays, KeyInventoryFields, KeyLocationConstraint,
		KeyRequestTag, KeyTagKeys, KeyExistingObjectTag, KeyResourceTag, KeyReplicationPause)
	for _, h := range headers {
		if h.field < field(numKeys) {
			sources |= 1 << h.field
		}
	}
	for a := Action(1); a < numActions; a++ {
		for i := range operations {
			op := &operations[i]
			if slices.Contains(op.actions, a) || slices.Contains(op.versioned, a) {
				if missing := a.Keys() &^ sources; missing != 0 {
					t.Errorf("%s of %s takes keys without source: %s", a.Name(), op.name, keyList(missing))
				}
			}
		}
	}
}

func TestEveryHeaderThatIsReadIsFoundByItsName(t *testing.T) {
	for _, h := range headers {
		if f, exact := headerField(head.Of(h.name)); f != h.field || !exact {
			t.Errorf("%s is field %d, want %d", h.name, f, h.field)
		}
	}
}
