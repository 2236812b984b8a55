package fleet

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// TestNoLongTermSecretIsInASidecarsMemoryNorInAnyFile plants a secret that is easy to
// recognise, uses it in every way that a sidecar sees, and looks for it in the memory of
// the sidecar and in all that store and sidecar have written.
func TestNoLongTermSecretIsInASidecarsMemoryNorInAnyFile(t *testing.T) {
	f, dir := open(t)
	ctx := t.Context()
	const planted, wrong = "Planted-Secret-4711-of-Alice", "Planted-Wrong-4712-of-Nobody"
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte(planted), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Doorward(ctx, 0, "user", "create", "alice", "--secret-key-file", secret, "--policy", "readwrite"); err != nil {
		t.Fatal(err)
	}
	alice := client(f, "alice", planted)
	if _, err := alice.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: aws.String("planted-bucket")}); err != nil {
		t.Fatal(err)
	}
	if got := code(func() error {
		_, err := client(f, "alice", wrong).ListBuckets(ctx, &s3.ListBucketsInput{})
		return err
	}()); got != "SignatureDoesNotMatch" {
		t.Errorf("a wrong secret: %q", got)
	}

	secrets := []string{planted, f.SecretKey}
	// Were the search blind, it would miss what has to be there too.
	found := search(t, memory(t, f.SidecarProcess()), append(secrets, "planted-bucket", "user/alice"))
	if !found["planted-bucket"] || !found["user/alice"] {
		t.Errorf("the sidecar's memory lacks what it has just decided about: %v", found)
	}
	for _, s := range secrets {
		if found[s] {
			t.Errorf("the sidecar's memory holds the secret %.7s…", s)
		}
	}

	files, logs := 0, false
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() || strings.HasPrefix(path, filepath.Join(dir, "objects")) {
			return err
		}
		file, err := os.Open(path)
		if errors.Is(err, fs.ErrNotExist) { // a temporary file of a snapshot
			return nil
		}
		if err != nil {
			return err
		}
		defer file.Close()
		files++
		found := search(t, []io.Reader{file}, append(secrets, wrong, "alice"))
		logs = logs || found["alice"]
		for _, s := range append(secrets, wrong) {
			if found[s] {
				t.Errorf("%s holds the secret %.7s…", path, s)
			}
		}
		return nil
	})
	if err != nil || files < 10 || !logs {
		t.Errorf("%d files searched, alice found %v: %v", files, logs, err)
	}
}

// memory returns the readable memory of a process, a reader for each mapping.
func memory(t *testing.T, process int) []io.Reader {
	t.Helper()
	maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", process))
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(fmt.Sprintf("/proc/%d/mem", process))
	if err != nil {
		t.Fatalf("%v (may this user trace its own processes?)", err)
	}
	t.Cleanup(func() { file.Close() })
	var mappings []io.Reader
	for line := range strings.Lines(string(maps)) {
		var from, to uint64
		var mode string
		if _, err := fmt.Sscanf(line, "%x-%x %s", &from, &to, &mode); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		// What is not writable is the program itself; [vvar] and its like cannot be read.
		if strings.HasPrefix(mode, "rw") {
			mappings = append(mappings, io.NewSectionReader(file, int64(from), int64(to-from)))
		}
	}
	return mappings
}

// search reports which of the words are in any of the readers.
func search(t *testing.T, readers []io.Reader, words []string) map[string]bool {
	t.Helper()
	found := map[string]bool{}
	for _, r := range readers {
		in := bufio.NewReaderSize(r, 1<<20)
		for {
			block, err := in.Peek(1 << 20)
			for _, w := range words {
				found[w] = found[w] || bytes.Contains(block, []byte(w))
			}
			if err != nil {
				if !errors.Is(err, io.EOF) {
					t.Logf("search: %v", err)
				}
				break
			}
			in.Discard(len(block) - 256) // a word may lie across blocks
		}
	}
	return found
}
