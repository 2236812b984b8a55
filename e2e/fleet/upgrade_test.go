package fleet

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// TestAStoreIsUpgradedAndTakenBackNodeByNode runs the build that the Makefile names as the
// one before beside this one: as long as one node runs it, every change and every answer
// is in a form that both know, and so the way back is open.
func TestAStoreIsUpgradedAndTakenBackNodeByNode(t *testing.T) {
	before, now := binary(t, "doorward-previous"), binary(t, "doorward")
	if _, err := os.Stat(before); err != nil {
		t.Skipf("THE UPGRADE IS NOT TESTED: %v (make previous builds it from the history, which a shallow clone lacks)", err)
	}
	f, _ := openWith(t, "doorward-previous")
	ctx := t.Context()
	secret := t.TempDir() + "/secret"
	if err := os.WriteFile(secret, []byte("Correct-Horse-1"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Doorward(ctx, 0, "user", "create", "alice", "--secret-key-file", secret, "--policy", "readwrite"); err != nil {
		t.Fatal(err)
	}
	alice := client(f, "alice", "Correct-Horse-1")
	if _, err := alice.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: aws.String("pics")}); err != nil {
		t.Fatal(err)
	}

	var users []string
	// works writes at every node, and has the sidecar hear of it.
	works := func(when string) {
		t.Helper()
		for node := range 3 {
			name := fmt.Sprintf("user-%d", len(users))
			until(t, func() error {
				_, err := f.Doorward(ctx, node, "user", "create", name, "--policy", "readonly")
				return err
			})
			users = append(users, name)
		}
		if _, err := alice.PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String("pics"), Key: aws.String(when), Body: strings.NewReader(when)}); err != nil {
			t.Fatalf("%s: %v", when, err)
		}
		out, err := f.Doorward(ctx, 0, "user", "detach", users[len(users)-1], "readonly")
		if err != nil || !strings.Contains(out, "applied 1/1") {
			t.Errorf("%s: detach: %s, %v", when, out, err)
		}
	}
	replace := func(node int, binary string) {
		t.Helper()
		if err := f.ReplaceNode(ctx, node, binary); err != nil {
			t.Fatal(err)
		}
		if _, err := f.Doorward(ctx, node, "cluster", "wait", "--voters", "3"); err != nil {
			t.Fatal(err)
		}
	}
	works("before")

	replace(0, now)
	replace(1, now)
	works("two-nodes-upgraded")
	if err := f.ReplaceSidecar(ctx, now); err != nil {
		t.Fatal(err)
	}
	works("sidecar-upgraded")

	replace(0, before)
	replace(1, before)
	works("taken-back-beside-a-newer-sidecar")
	if err := f.ReplaceSidecar(ctx, before); err != nil {
		t.Fatal(err)
	}
	works("all-taken-back")

	for node := range 3 {
		replace(node, now)
	}
	works("upgraded-beside-an-older-sidecar")
	if err := f.ReplaceSidecar(ctx, now); err != nil {
		t.Fatal(err)
	}
	works("all-upgraded")

	for node := range 3 {
		listed, err := f.Doorward(ctx, node, "user", "list", "--output", "json")
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range users {
			if !strings.Contains(listed, `"`+name+`"`) {
				t.Errorf("node %d lacks %s, which was acknowledged", node, name)
			}
		}
	}
}
