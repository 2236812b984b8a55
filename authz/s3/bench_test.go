package s3_test

import (
	"net/netip"
	"testing"

	"github.com/doorward/doorward/authz/s3"
	"github.com/doorward/doorward/iam"
)

// signedHeaders are the headers that aws-sdk-go-v2 sends with a small request.
func signedHeaders(host string, more ...s3.Header) []s3.Header {
	return append([]s3.Header{
		{Name: "Host", Value: host},
		{Name: "User-Agent", Value: "aws-sdk-go-v2/1.47.7 os/linux lang/go md/GOOS#linux md/GOARCH#amd64 api/s3#1.114.8"},
		{Name: "Content-Length", Value: "0"},
		{Name: "Accept-Encoding", Value: "identity"},
		{Name: "Amz-Sdk-Invocation-Id", Value: "9b2ab0d4-6d0e-4a3b-8f5e-7d8f3a1c2b4e"},
		{Name: "Amz-Sdk-Request", Value: "attempt=1; max=3"},
		{Name: "Authorization", Value: "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20261124/us-east-1/s3/aws4_request, SignedHeaders=accept-encoding;amz-sdk-invocation-id;amz-sdk-request;host;x-amz-content-sha256;x-amz-date, Signature=fe5f80f77d5fa3beca038a248ff027d0445342fe2855ddc963176630326f1024"},
		{Name: "X-Amz-Content-Sha256", Value: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
		{Name: "X-Amz-Date", Value: "20261124T063000Z"},
	}, more...)
}

// BenchmarkMap measures the mapping of common requests into a Result that is used
// again, for a service with three endpoint names.
func BenchmarkMap(b *testing.B) {
	const presigned = "&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20261124%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20261124T063000Z&X-Amz-Expires=900&X-Amz-SignedHeaders=host&X-Amz-Signature=fe5f80f77d5fa3beca038a248ff027d0445342fe2855ddc963176630326f1024"
	cases := []struct{ name, method, host, target string }{
		{"GetObject/path", "GET", "s3.example.net", "/examplebucket/photos/2024/05/a.jpg?x-id=GetObject"},
		{"GetObject/virtual-host", "GET", "examplebucket.s3.example.net", "/photos/2024/05/a.jpg?x-id=GetObject"},
		{"GetObject/escaped", "GET", "s3.example.net", "/examplebucket/%C3%A9t%C3%A9/photo%20of%20a%20tree.jpg?x-id=GetObject"},
		{"GetObject/presigned", "GET", "s3.example.net", "/examplebucket/photos/2024/05/a.jpg?x-id=GetObject" + presigned},
		{"PutObject/path", "PUT", "s3.example.net", "/examplebucket/photos/2024/05/a.jpg?x-id=PutObject"},
		{"HeadObject/virtual-host", "HEAD", "examplebucket.s3.example.net", "/photos/2024/05/a.jpg"},
		{"DeleteObject/path", "DELETE", "s3.example.net", "/examplebucket/photos/2024/05/a.jpg?x-id=DeleteObject"},
		{"ListObjectsV2/path", "GET", "s3.example.net", "/examplebucket?list-type=2&prefix=photos%2F2024%2F&delimiter=%2F&max-keys=1000"},
		{"ListObjectsV2/virtual-host", "GET", "examplebucket.s3.example.net", "/?list-type=2&prefix=photos%2F2024%2F&delimiter=%2F"},
		{"UploadPart/path", "PUT", "s3.example.net", "/examplebucket/big.bin?partNumber=7&uploadId=VXBsb2FkIElE.x-_~&x-id=UploadPart"},
	}
	m, err := s3.New(s3.Config{Endpoints: []string{"s3.example.net", "s3.eu-west-1.example.net", "storage.internal"}})
	if err != nil {
		b.Fatal(err)
	}
	for _, c := range cases {
		b.Run(c.name, func(b *testing.B) {
			req := s3.Request{
				Method: c.method, Target: c.target, Headers: signedHeaders(c.host), Secure: true, TLSVersion: "1.3",
				RemoteAddr: netip.MustParseAddr("192.0.2.7"), Now: iam.Time(1795501800000),
				Signature: s3.Signature{AuthType: "REST-HEADER", Version: "AWS4-HMAC-SHA256", Age: 120},
			}
			var res s3.Result
			b.ReportAllocs()
			for b.Loop() {
				if err := m.Map(&req, &res); err != nil {
					b.Fatal(err)
				}
			}
			if len(res.Needs) != 1 {
				b.Fatalf("%d needs", len(res.Needs))
			}
		})
	}
}
