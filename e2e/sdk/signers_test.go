package sdk

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	awscredentials "github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/minio/minio-go/v7"
	miniocredentials "github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/doorward/doorward/authz/sigv4"
	"github.com/doorward/doorward/iam"
)

const (
	id     = "AKIDSIGNER"
	secret = "a secret that only the signer and the verifier know"
	token  = "a/session+token=="
	region = "eu-west-1"
)

var content = strings.Repeat("sixteen bytes ok", 20<<10) // 320 KiB, several chunks

// seen is what the verifier made of one request.
type seen struct {
	kind      sigv4.Kind
	algorithm sigv4.Algorithm
	body      sigv4.BodyMode
	token     string
	data      string
	key       string // of a form
	err       error
}

// verifier is a server that verifies each request as an S3 server does.
type verifier struct {
	*httptest.Server
	mu   sync.Mutex
	last seen
}

func newVerifier(t *testing.T, secure bool) *verifier {
	v := &verifier{}
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		result := verify(r)
		v.mu.Lock()
		v.last = result
		v.mu.Unlock()
		var refusal *sigv4.Error
		switch {
		case errors.As(result.err, &refusal):
			w.WriteHeader(refusal.Status)
			w.Write(refusal.AppendS3(nil, r.URL.Path, "1", "2"))
		case result.err != nil:
			w.WriteHeader(http.StatusInternalServerError)
		default:
			w.Header().Set("ETag", `"00000000000000000000000000000000"`)
		}
	})
	if secure {
		v.Server = httptest.NewTLSServer(handler)
	} else {
		v.Server = httptest.NewServer(handler)
	}
	t.Cleanup(v.Close)
	return v
}

// verify takes a request through every step, to the last byte of its body.
func verify(r *http.Request) (s seen) {
	rules := sigv4.S3Rules(region)
	req := sigv4.FromHTTP(r, nil)
	c, err := rules.Parse(&req, iam.At(time.Now()))
	var form *sigv4.Form
	if err == nil && c.Kind() == sigv4.PostForm {
		if form, err = sigv4.ReadForm(&req, r.Body); err == nil {
			c, err = rules.ParseForm(&req, form, strings.Trim(r.URL.Path, "/"), iam.At(time.Now()))
		}
	}
	if err != nil {
		return seen{err: err}
	}
	if c.Kind() == sigv4.Anonymous || c.AccessKeyID() != id {
		return seen{err: c.Refuse(sigv4.UnknownAccessKey)}
	}
	var verified sigv4.Verified
	key := sigv4.DeriveSigningKey(secret, c.Scope())
	if c.Algorithm() == sigv4.ECDSAP256 {
		public, deriveErr := sigv4.DerivePublicKey(id, secret)
		if deriveErr != nil {
			return seen{err: deriveErr}
		}
		verified, err = c.VerifyECDSA(public)
	} else {
		verified, err = c.Verify(&key)
	}
	if err != nil {
		return seen{err: err}
	}
	s = seen{kind: verified.Kind(), algorithm: verified.Algorithm(), body: verified.Body(), token: verified.Token()}
	var body io.Reader
	if form != nil {
		s.key, body = form.Key(), form.File()
	} else if body, err = sigv4.NewBody(&verified, &key, r.Body); err != nil {
		return seen{err: err}
	}
	data, err := io.ReadAll(body)
	s.data, s.err = string(data), err
	return s
}

// awsClient is aws-sdk-go-v2. Requests for hosts that only exist at AWS go to the
// verifier too.
func (v *verifier) awsClient(options ...func(*s3.Options)) *s3.Client {
	target, _ := url.Parse(v.URL)
	client := &http.Client{Transport: redirect{v.Client().Transport, target}}
	o := s3.Options{
		BaseEndpoint: aws.String(v.URL), UsePathStyle: true, Region: region, RetryMaxAttempts: 1, HTTPClient: client,
		Credentials: awscredentials.NewStaticCredentialsProvider(id, secret, ""),
	}
	for _, option := range options {
		option(&o)
	}
	return s3.New(o)
}

// redirect sends every request to one server, and lets it keep its Host.
type redirect struct {
	http.RoundTripper
	to *url.URL
}

func (d redirect) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	if r.Host == "" {
		r.Host = r.URL.Host
	}
	r.URL.Scheme, r.URL.Host = d.to.Scheme, d.to.Host
	return d.RoundTripper.RoundTrip(r)
}

func withToken(o *s3.Options) {
	o.Credentials = awscredentials.NewStaticCredentialsProvider(id, secret, token)
}

// multiRegion has no region and no endpoint: requests for a multi-region access point
// are signed with SigV4A.
func multiRegion(o *s3.Options) { o.BaseEndpoint, o.UsePathStyle = nil, false }

const accessPoint = "arn:aws:s3::123456789012:accesspoint/mfzwi23gnjvgw.mrap"

func (v *verifier) minioClient(t *testing.T, options ...func(*minio.Options)) *minio.Client {
	t.Helper()
	o := minio.Options{Creds: miniocredentials.NewStaticV4(id, secret, ""), Region: region, Secure: v.TLS != nil, Transport: v.Client().Transport, MaxRetries: 1}
	for _, option := range options {
		option(&o)
	}
	c, err := minio.New(strings.TrimPrefix(strings.TrimPrefix(v.URL, "https://"), "http://"), &o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// get and put use a presigned URL.
func (v *verifier) get(address string) error { return v.send(http.MethodGet, address, "") }
func (v *verifier) put(address string) error { return v.send(http.MethodPut, address, content) }

func (v *verifier) send(method, address, body string) error {
	u, err := url.Parse(address)
	if err != nil {
		return err
	}
	r, err := http.NewRequest(method, address, strings.NewReader(body))
	if err != nil {
		return err
	}
	target, _ := url.Parse(v.URL)
	r.Host = u.Host
	answer, err := redirect{v.Client().Transport, target}.RoundTrip(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(answer.Body)
		return fmt.Errorf("%s: %s", answer.Status, text)
	}
	return nil
}

const bucket, odd = "bucket", "/sp ace/ü+~//100%/a%2Fb/../c'(d)&e=f;g!*"

// TestSigners: what the two libraries sign in each form is verified, to the last
// byte of the body.
func TestSigners(t *testing.T) {
	plainServer, secureServer := newVerifier(t, false), newVerifier(t, true)
	type row struct {
		name   string
		server *verifier
		send   func(context.Context, *verifier) error
		want   seen
	}
	put := func(options ...func(*s3.Options)) func(context.Context, *verifier) error {
		return func(ctx context.Context, v *verifier) error {
			_, err := v.awsClient(options...).PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String(bucket), Key: aws.String(odd), Body: strings.NewReader(content)})
			return err
		}
	}
	minioPut := func(put minio.PutObjectOptions, options ...func(*minio.Options)) func(context.Context, *verifier) error {
		return func(ctx context.Context, v *verifier) error {
			_, err := v.minioClient(t, options...).PutObject(ctx, bucket, odd, strings.NewReader(content), int64(len(content)), put)
			return err
		}
	}
	trailing := func(o *minio.Options) { o.TrailingHeaders = true }
	presigned := func(make func(context.Context, *verifier) (string, error), use func(*verifier, string) error) func(context.Context, *verifier) error {
		return func(ctx context.Context, v *verifier) error {
			address, err := make(ctx, v)
			if err != nil {
				return err
			}
			return use(v, address)
		}
	}
	header := func(body sigv4.BodyMode) seen {
		return seen{kind: sigv4.HeaderSigned, algorithm: sigv4.HMACSHA256, body: body, data: content}
	}
	signedURL := func(data string) seen {
		return seen{kind: sigv4.Presigned, algorithm: sigv4.HMACSHA256, body: sigv4.BodyUnsigned, data: data}
	}
	unsigned := func(o *s3.Options) {
		o.APIOptions = append(o.APIOptions, v4.SwapComputePayloadSHA256ForUnsignedPayloadMiddleware)
	}
	session, sessionURL := header(sigv4.BodySigned), signedURL("")
	session.token, sessionURL.token = token, token
	asymmetric, asymmetricURL := header(sigv4.BodySigned), signedURL("")
	asymmetric.algorithm, asymmetric.data, asymmetricURL.algorithm = sigv4.ECDSAP256, "", sigv4.ECDSAP256

	for _, row := range []row{
		{"aws-sdk-go-v2: header, body signed", plainServer, put(), header(sigv4.BodySigned)},
		{"aws-sdk-go-v2: header, body not signed", plainServer, put(unsigned), header(sigv4.BodyUnsigned)},
		{"aws-sdk-go-v2: unsigned chunks with a trailer", secureServer, func(ctx context.Context, v *verifier) error {
			_, err := v.awsClient().PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String(bucket), Key: aws.String(odd), Body: strings.NewReader(content), ChecksumAlgorithm: types.ChecksumAlgorithmCrc32c})
			return err
		}, header(sigv4.BodyUnsignedTrailer)},
		{"aws-sdk-go-v2: session token in the header", plainServer, put(withToken), session},
		{"aws-sdk-go-v2: presigned get", plainServer, presigned(func(ctx context.Context, v *verifier) (string, error) {
			r, err := s3.NewPresignClient(v.awsClient()).PresignGetObject(ctx, &s3.GetObjectInput{Bucket: aws.String(bucket), Key: aws.String(odd)})
			return r.URL, err
		}, (*verifier).get), signedURL("")},
		{"aws-sdk-go-v2: presigned get of a session", plainServer, presigned(func(ctx context.Context, v *verifier) (string, error) {
			r, err := s3.NewPresignClient(v.awsClient(withToken)).PresignGetObject(ctx, &s3.GetObjectInput{Bucket: aws.String(bucket), Key: aws.String(odd)})
			return r.URL, err
		}, (*verifier).get), sessionURL},
		{"aws-sdk-go-v2: SigV4A header", secureServer, func(ctx context.Context, v *verifier) error {
			_, err := v.awsClient(multiRegion).GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String(accessPoint), Key: aws.String(odd)})
			return err
		}, asymmetric},
		{"aws-sdk-go-v2: SigV4A presigned", secureServer, presigned(func(ctx context.Context, v *verifier) (string, error) {
			// A plain key: this version encodes the path twice here, which AWS refuses too.
			r, err := s3.NewPresignClient(v.awsClient(multiRegion)).PresignGetObject(ctx, &s3.GetObjectInput{Bucket: aws.String(accessPoint), Key: aws.String("plain/key")})
			return r.URL, err
		}, (*verifier).get), asymmetricURL},

		{"minio-go: signed chunks", plainServer, minioPut(minio.PutObjectOptions{DisableContentSha256: false}), header(sigv4.BodyStreaming)},
		{"minio-go: signed chunks with a trailer", plainServer, minioPut(minio.PutObjectOptions{Checksum: minio.ChecksumCRC32C}, trailing), header(sigv4.BodyStreamingTrailer)},
		{"minio-go: unsigned chunks with a trailer", secureServer, minioPut(minio.PutObjectOptions{Checksum: minio.ChecksumCRC64NVME}, trailing), header(sigv4.BodyUnsignedTrailer)},
		{"minio-go: header, body not signed", secureServer, minioPut(minio.PutObjectOptions{DisableContentSha256: true}), header(sigv4.BodyUnsigned)},
		{"minio-go: session token in the header", secureServer, minioPut(minio.PutObjectOptions{DisableContentSha256: true}, func(o *minio.Options) {
			o.Creds = miniocredentials.NewStaticV4(id, secret, token)
		}), seen{kind: sigv4.HeaderSigned, algorithm: sigv4.HMACSHA256, body: sigv4.BodyUnsigned, data: content, token: token}},
		{"minio-go: presigned get", plainServer, presigned(func(ctx context.Context, v *verifier) (string, error) {
			u, err := v.minioClient(t).PresignedGetObject(ctx, bucket, odd, time.Minute, url.Values{"response-content-type": {"a/b; c=d"}})
			return u.String(), err
		}, (*verifier).get), signedURL("")},
		{"minio-go: presigned put", plainServer, presigned(func(ctx context.Context, v *verifier) (string, error) {
			u, err := v.minioClient(t).PresignedPutObject(ctx, bucket, odd, 7*24*time.Hour)
			return u.String(), err
		}, (*verifier).put), signedURL(content)},
		{"minio-go: POST policy", plainServer, func(ctx context.Context, v *verifier) error {
			policy := minio.NewPostPolicy()
			err := errors.Join(policy.SetBucket(bucket), policy.SetKeyStartsWith("user/"), policy.SetExpires(time.Now().Add(time.Hour)), policy.SetContentLengthRange(1, int64(len(content))))
			if err != nil {
				return err
			}
			u, fields, err := v.minioClient(t).PresignedPostPolicy(ctx, policy)
			if err != nil {
				return err
			}
			fields["key"] = "user/${filename}"
			return post(v.Client(), u.String(), fields, "cat.jpg", content)
		}, seen{kind: sigv4.PostForm, algorithm: sigv4.HMACSHA256, body: sigv4.BodyUnsigned, data: content, key: "user/cat.jpg"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			row.server.last = seen{}
			err := row.send(t.Context(), row.server)
			got := row.server.last
			if err != nil || got.err != nil {
				t.Fatalf("the client: %v; the verifier: %v", err, got.err)
			}
			if got != row.want {
				got.data, row.want.data = fmt.Sprint(len(got.data), " bytes"), fmt.Sprint(len(row.want.data), " bytes")
				t.Errorf("got %+v\nwant %+v", got, row.want)
			}
		})
	}
}

// post sends a browser form.
func post(client *http.Client, address string, fields map[string]string, filename, content string) error {
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	for name, value := range fields {
		if err := form.WriteField(name, value); err != nil {
			return err
		}
	}
	file, err := form.CreateFormFile("file", filename)
	if err == nil {
		_, err = io.WriteString(file, content)
	}
	if err = errors.Join(err, form.Close()); err != nil {
		return err
	}
	answer, err := client.Post(address, form.FormDataContentType(), &body)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode >= 300 {
		text, _ := io.ReadAll(answer.Body)
		return fmt.Errorf("%s: %s", answer.Status, text)
	}
	return nil
}

// TestSignatureV2IsRefusedByName: minio-go still signs with it if it is told to.
func TestSignatureV2IsRefusedByName(t *testing.T) {
	v := newVerifier(t, false)
	c := v.minioClient(t, func(o *minio.Options) { o.Creds = miniocredentials.NewStaticV2(id, secret, "") })
	_, err := c.PutObject(t.Context(), bucket, "k", strings.NewReader("x"), 1, minio.PutObjectOptions{})
	if code := minio.ToErrorResponse(err).Code; code != "InvalidRequest" {
		t.Errorf("header: %v", err)
	}
	u, err := c.PresignedGetObject(t.Context(), bucket, "k", time.Minute, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := v.get(u.String()); err == nil || !strings.Contains(err.Error(), "AWS4-HMAC-SHA256") {
		t.Errorf("presigned: %v", err)
	}
}
