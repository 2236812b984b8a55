package requests

import (
	"context"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsv4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/minio/minio-go/v7/pkg/signer"

	"github.com/doorward/doorward/cmd/doorward/bench"
	"github.com/doorward/doorward/cmd/doorward/bench/measure"
	"github.com/doorward/doorward/cmd/doorward/bench/workload"
)

// SignAWS is what a server pays that signs the request again with the signer of
// aws-sdk-go-v2, which keeps derived keys, and compares.
func SignAWS(r *http.Request) measure.Work {
	s := awsv4.NewSigner()
	credentials := aws.Credentials{AccessKeyID: "AKIAIOSFODNN7EXAMPLE", SecretAccessKey: bench.Secret}
	at := time.Now()
	return measure.Work{Name: "aws-sdk-go-v2 signer", Do: func(n int) {
		for range n {
			if err := s.SignHTTP(context.Background(), credentials, r, "UNSIGNED-PAYLOAD", "s3", workload.Region, at); err != nil {
				panic(err)
			}
		}
	}}
}

// SignMinIO is the same with the signer of minio-go.
func SignMinIO(r *http.Request) measure.Work {
	return measure.Work{Name: "minio-go signer", Do: func(n int) {
		for range n {
			signer.SignV4(*r, "AKIAIOSFODNN7EXAMPLE", bench.Secret, "", workload.Region)
		}
	}}
}
