package frontend

import (
	"crypto/subtle"
	"encoding/json"
	"io"
	"net/http"
	"strings"

	"github.com/doorward/doorward/authz"
	"github.com/doorward/doorward/iam"
	"github.com/doorward/doorward/sidecar"
	"github.com/doorward/doorward/sidecar/protocol"
)

// maxWebhook bounds the body of MinIO's question.
const maxWebhook = 1 << 20

// webhook is MinIO's question (access management plugin). The conditions hold the
// client's Authorization and token: they are never logged.
type webhook struct {
	Input struct {
		Account    string              `json:"account"`
		Action     string              `json:"action"`
		Bucket     string              `json:"bucket"`
		Object     string              `json:"object"`
		Conditions map[string][]string `json:"conditions"`
		// Claims are of a session or a service account of MinIO's own. MinIO has checked
		// that they belong to Account.
		Claims struct {
			Parent        string `json:"parent"`
			SessionPolicy string `json:"sessionPolicy"`
		} `json:"claims"`
	} `json:"input"`
}

// minioConditions are the names that MinIO gives to condition keys.
var minioConditions = map[string]string{
	"SourceIp": "aws:SourceIp", "SecureTransport": "aws:SecureTransport", "UserAgent": "aws:UserAgent", "Referer": "aws:Referer",
	"prefix": "s3:prefix", "delimiter": "s3:delimiter", "max-keys": "s3:max-keys", "versionid": "s3:VersionId",
}

// minio answers MinIO's access-management webhook. MinIO looks at the body alone,
// so "true" is written only for a decision that allows; everything else, trouble
// included, is "false". MinIO's own owner gets no better answer, and its question
// whether a request is merely not denied is answered as whether it is allowed.
func (d *doors) minio(w http.ResponseWriter, r *http.Request) {
	allowed, status := false, http.StatusOK
	if subtle.ConstantTimeCompare([]byte(r.Header.Get("Authorization")), []byte(d.config.MinIOToken)) != 1 {
		status = http.StatusForbidden
	} else if body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxWebhook)); err != nil {
		status = http.StatusBadRequest
	} else if len(body) > 0 {
		// An empty body is MinIO's probe at its start.
		allowed, status = d.decideMinIO(r, body)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	text := `{"result":false}`
	if allowed && status == http.StatusOK {
		text = `{"result":true}`
	}
	// MinIO that is gone denies by itself.
	_, _ = io.WriteString(w, text)
}

func (d *doors) decideMinIO(r *http.Request, body []byte) (allowed bool, status int) {
	var q webhook
	if err := json.Unmarshal(body, &q); err != nil {
		return false, http.StatusBadRequest
	}
	in := &q.Input
	if in.Claims.SessionPolicy != "" {
		// Doorward has never seen this policy, which must cut what the parent may.
		return false, http.StatusForbidden
	}
	id := in.Account
	if in.Claims.Parent != "" {
		id = strings.TrimPrefix(in.Claims.Parent, "custom:") // as MinIO's identity plugin names them
	}
	var conditions []protocol.Pair
	for name, values := range in.Conditions {
		if key, ok := minioConditions[name]; ok && len(values) == 1 && values[0] != "" {
			conditions = append(conditions, protocol.Pair{Name: key, Value: values[0]})
		}
	}
	var decision sidecar.Decision
	inspection, err := d.authorizer.Inspect(r.Context(), &sidecar.Question{AccessKey: iam.AccessKeyID(id), Conditions: conditions}, &decision)
	if err != nil {
		return false, decision.Status()
	}
	defer inspection.Close()
	v := inspection.Ask(in.Action, minioResource(in.Bucket, in.Object))
	return v.Own.Effect == authz.Allow && (!v.Limited || v.Limit.Effect == authz.Allow), http.StatusOK
}

func minioResource(bucket, object string) string {
	switch {
	case bucket == "":
		return "*"
	case object == "":
		return "arn:aws:s3:::" + bucket
	}
	return "arn:aws:s3:::" + bucket + "/" + object
}
