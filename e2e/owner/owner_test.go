package owner

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/versity/versitygw/auth"
	"github.com/versity/versitygw/backend/meta"
	"github.com/versity/versitygw/backend/posix"
	"github.com/versity/versitygw/s3response"
)

// files is a folder of buckets with what --chuid and --chgid switch on.
type files struct {
	*testing.T
	backend *posix.Posix
	dir     string
}

var bucket = aws.String("files")

func open(t *testing.T) *files {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("NOT TESTED: whose files objects become, because only root can give files away")
	}
	side, dir := t.TempDir(), t.TempDir()
	t.Chdir(dir) // and the backend does so too
	kept, err := meta.NewSideCar(side)
	if err != nil {
		t.Fatal(err)
	}
	backend, err := posix.New(dir, kept, posix.PosixOpts{ChownUID: true, ChownGID: true, SideCarDir: side, CopyObjectThreshold: 1 << 30})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(backend.Shutdown)
	f := &files{t, backend, dir}
	f.must(backend.CreateBucket(f.as(alice), &s3.CreateBucketInput{Bucket: bucket, CreateBucketConfiguration: &types.CreateBucketConfiguration{}}, []byte(`{}`)))
	return f
}

// Who asks: users with ids, and one whose answers have none, which is the gateway's own.
var (
	alice = auth.Account{Access: "alice", UserID: 1001, GroupID: 101}
	bob   = auth.Account{Access: "bob", UserID: 1002, GroupID: 102}
	carol = auth.Account{Access: "carol", UserID: 1003, GroupID: 103}
	dave  = auth.Account{Access: "dave", UserID: os.Geteuid(), GroupID: os.Getegid()}
)

func (f *files) as(who auth.Account) context.Context {
	//lint:ignore SA1029 it is the key that the gateway has
	return context.WithValue(f.Context(), "account", who)
}

func (f *files) must(err error) {
	f.Helper()
	if err != nil {
		f.Fatal(err)
	}
}

func (f *files) put(who auth.Account, key string) {
	f.Helper()
	size := int64(len(key))
	_, err := f.backend.PutObject(f.as(who), s3response.PutObjectInput{Bucket: bucket, Key: &key, Body: strings.NewReader(key), ContentLength: &size})
	f.must(err)
}

func (f *files) copyTo(who auth.Account, key string, how types.MetadataDirective) {
	f.Helper()
	_, err := f.backend.CopyObject(f.as(who), s3response.CopyObjectInput{
		Bucket: bucket, Key: &key, CopySource: aws.String(*bucket + "/report"), MetadataDirective: how, Metadata: map[string]string{"kept": "no"},
		ExpectedBucketOwner: aws.String(""),
	})
	f.must(err)
}

// belong asks whose file is at a path below the bucket's folder.
func (f *files) belong(what, path string, want auth.Account) {
	f.Helper()
	about, err := os.Stat(filepath.Join(f.dir, *bucket, path))
	f.must(err)
	of := about.Sys().(*syscall.Stat_t)
	if of.Uid != uint32(want.UserID) || of.Gid != uint32(want.GroupID) {
		f.Errorf("%s belongs to %d:%d, want %s's %d:%d", what, of.Uid, of.Gid, want.Access, want.UserID, want.GroupID)
	}
}

func TestFilesBelongToWhomTheTableSays(t *testing.T) {
	f := open(t)
	f.put(alice, "report")
	f.belong("an object", "report", alice)
	f.put(bob, "report")
	f.belong("an object that is written over", "report", bob)

	f.copyTo(alice, "copy", types.MetadataDirectiveCopy)
	f.belong("a copy", "copy", alice)
	f.belong("its source", "report", bob)
	f.copyTo(alice, "report", types.MetadataDirectiveReplace)
	f.belong("an object that is copied onto itself", "report", bob)

	f.put(alice, "folder/a")
	f.put(bob, "folder/b")
	f.belong("a folder on the way", "folder", alice)
	f.belong("an object in it", "folder/b", bob)

	f.put(dave, "without")
	f.belong("an object of whoever has no ids", "without", dave)

	moved := alice
	moved.UserID, moved.GroupID = 2001, 201
	f.put(moved, "later")
	f.belong("an object after the ids have changed", "later", moved)
	f.belong("an object from before", "copy", alice)
	f.put(moved, "copy")
	f.belong("the same, written again", "copy", moved)
}

func TestAPartIsItsSendersAndTheWholeIsWhoCompletesIts(t *testing.T) {
	f := open(t)
	key := aws.String("whole")
	begun, err := f.backend.CreateMultipartUpload(f.as(alice), s3response.CreateMultipartUploadInput{Bucket: bucket, Key: key})
	f.must(err)
	sent, err := f.backend.UploadPart(f.as(bob), &s3.UploadPartInput{
		Bucket: bucket, Key: key, UploadId: &begun.UploadId, PartNumber: aws.Int32(1), Body: strings.NewReader("part"), ContentLength: aws.Int64(4),
	})
	f.must(err)
	parts, err := filepath.Glob(filepath.Join(f.dir, *bucket, ".sgwtmp", "multipart", "*", begun.UploadId, "1"))
	f.must(err)
	if len(parts) != 1 {
		t.Fatalf("the part is in %q", parts)
	}
	part, err := filepath.Rel(filepath.Join(f.dir, *bucket), parts[0])
	f.must(err)
	f.belong("a part", part, bob)
	_, _, err = f.backend.CompleteMultipartUpload(f.as(carol), &s3.CompleteMultipartUploadInput{
		Bucket: bucket, Key: key, UploadId: &begun.UploadId,
		MultipartUpload: &types.CompletedMultipartUpload{Parts: []types.CompletedPart{{ETag: sent.ETag, PartNumber: aws.Int32(1)}}},
	})
	f.must(err)
	f.belong(fmt.Sprint("what upload ", begun.UploadId, " becomes"), "whole", carol)
}
