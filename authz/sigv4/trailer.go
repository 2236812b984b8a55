package sigv4

import (
	"bytes"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"hash"
	"hash/crc32"
	"hash/crc64"
	"slices"
	"strings"

	"github.com/doorward/doorward/iam"
)

// trailer holds the trailers that a request announces in x-amz-trailer, and the
// checksums of the body that they have to carry.
type trailer struct {
	announced bool // the body mode has trailers
	bare      bool // a line ended in LF alone
	sums      []checksum
}

// checksum is one announced trailer.
type checksum struct {
	name   string
	digest hash.Hash
	value  string // as received
	seen   bool
}

// nvme is the table of CRC-64/NVME, the polynomial 0xAD93D23594C93659 reflected.
var nvme = crc64.MakeTable(0x9A6C9329AC4BC9B5)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// newDigest returns the hash behind the checksum called name, nil if there is
// none of that name. Source: Amazon S3 User Guide, "Checking object integrity".
func newDigest(name string) hash.Hash {
	switch name {
	case "x-amz-checksum-crc32":
		return crc32.NewIEEE()
	case "x-amz-checksum-crc32c":
		return crc32.New(castagnoli)
	case "x-amz-checksum-crc64nvme":
		return crc64.New(nvme)
	case "x-amz-checksum-sha1":
		return sha1.New()
	case "x-amz-checksum-sha256":
		return sha256.New()
	}
	return nil
}

func newTrailer(mode BodyMode, names string) (*trailer, error) {
	t := &trailer{announced: mode == BodyStreamingTrailer || mode == BodyUnsignedTrailer || mode == BodyStreamingECDSATrailer}
	if t.announced != (names != "") {
		return nil, errorf(InvalidRequest, "x-amz-trailer and the kind of x-amz-content-sha256 must agree whether the body has trailers.")
	}
	if !t.announced {
		return t, nil
	}
	for name := range strings.SplitSeq(names, ",") {
		name = strings.ToLower(trimBlanks(name))
		digest := newDigest(name)
		if digest == nil || len(t.sums) == maxTrailers || t.find(name) != nil {
			return nil, errorf(InvalidRequest, "The value specified in the x-amz-trailer header is not supported: %q.", name)
		}
		t.sums = append(t.sums, checksum{name: name, digest: digest})
	}
	slices.SortFunc(t.sums, func(a, b checksum) int { return strings.Compare(a.name, b.name) })
	return t, nil
}

func (t *trailer) find(name string) *checksum {
	for i := range t.sums {
		if t.sums[i].name == name {
			return &t.sums[i]
		}
	}
	return nil
}

func (t *trailer) write(p []byte) {
	for i := range t.sums {
		t.sums[i].digest.Write(p)
	}
}

// read reads what follows the final chunk line: the trailers, if there are any,
// and an empty line.
func (t *trailer) read(b *chunkedBody) error {
	signature, err := t.lines(b)
	if err != nil || !t.announced {
		return err
	}
	for i := range t.sums {
		if !t.sums[i].seen {
			return malformedTrailer("%s is missing", t.sums[i].name)
		}
	}
	if b.chain != nil {
		if err := b.chain.Trailer(t.canonicalSum(), signature); err != nil {
			return err
		}
	}
	return t.check()
}

const trailerSignature = "x-amz-trailer-signature"

// lines reads trailers up to an empty line and returns the trailer signature.
// Lines may end in LF alone, after which minio-go puts one empty line too many:
// before the signature, or without one at the end.
func (t *trailer) lines(b *chunkedBody) (signature string, err error) {
	for range maxTrailers + 3 {
		line, err := b.line()
		if err != nil {
			return "", err
		}
		line, crlf := bytes.CutSuffix(line, []byte("\r"))
		if len(line) == 0 {
			if t.announced && b.chain != nil && signature == "" {
				continue
			}
			return signature, t.skipEmpty(b)
		}
		t.bare = t.bare || !crlf
		if signature != "" {
			return "", malformedTrailer("nothing may follow %s", trailerSignature)
		}
		if signature, err = t.line(line, b.chain != nil); err != nil {
			return "", err
		}
	}
	if t.announced && b.chain != nil && signature == "" {
		return "", errorf(iam.SignatureDoesNotMatch, "The trailer of a signed body must carry %s.", trailerSignature)
	}
	return "", malformedTrailer("there are too many lines")
}

// skipEmpty takes the empty line that follows unsigned trailers which end in LF
// alone.
func (t *trailer) skipEmpty(b *chunkedBody) error {
	if !t.bare || b.chain != nil {
		return nil
	}
	if next, _ := b.src.Peek(2); string(next) != "\r\n" {
		return nil
	}
	_, err := b.src.Discard(2)
	return err
}

// line takes one trailer; the signature comes back.
func (t *trailer) line(line []byte, signed bool) (signature string, err error) {
	name, value, ok := strings.Cut(string(line), ":")
	name, value = strings.ToLower(trimBlanks(name)), trimBlanks(value)
	if !ok || !t.announced {
		return "", malformedTrailer("expecting an empty line or name:value")
	}
	if signed && name == trailerSignature && value != "" {
		return value, nil
	}
	sum := t.find(name)
	if sum == nil || sum.seen {
		return "", malformedTrailer("%q is not announced in x-amz-trailer, or is there twice", name)
	}
	sum.seen, sum.value = true, value
	return "", nil
}

// canonicalSum is the SHA-256 of the trailers as they are signed.
func (t *trailer) canonicalSum() [sha256.Size]byte {
	var text []byte
	for _, sum := range t.sums {
		text = append(append(append(append(text, sum.name...), ':'), sum.value...), '\n')
	}
	return sha256.Sum256(text)
}

// check compares the checksums with those of the body.
func (t *trailer) check() error {
	for _, sum := range t.sums {
		want, err := base64.StdEncoding.Strict().DecodeString(sum.value)
		switch {
		case err != nil || len(want) != sum.digest.Size():
			return errorf(InvalidRequest, "Value for %s trailing header is invalid.", sum.name)
		case !bytes.Equal(want, sum.digest.Sum(nil)):
			return errorf(BadDigest, "The %s you specified did not match the calculated checksum.", sum.name)
		}
	}
	return nil
}

func malformedTrailer(format string, args ...any) *Error {
	return errorf(MalformedTrailerError, "The request contained trailing data that was not well-formed: "+format+".", args...)
}
