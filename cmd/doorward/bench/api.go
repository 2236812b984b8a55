package bench

import (
	"context"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/doorward/doorward/authz/sigv4"
	"github.com/doorward/doorward/iam"
)

// API calls the IAM and STS actions of a store, as an SDK does: signed, over
// connections that are kept.
type API struct {
	endpoint string
	creds    sigv4.Credentials
	http     *http.Transport
}

// NewAPI returns a caller of the store at endpoint for so many workers.
func NewAPI(endpoint string, creds sigv4.Credentials, workers int) (*API, error) {
	u, err := url.Parse(endpoint)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("endpoint %q: want a URL such as http://127.0.0.1:8470", endpoint)
	}
	return &API{u.Scheme + "://" + u.Host + "/", creds, &http.Transport{
		MaxIdleConnsPerHost: workers, DisableCompression: true, ResponseHeaderTimeout: 10 * time.Second,
	}}, nil
}

// Close ends the connections.
func (a *API) Close() { a.http.CloseIdleConnections() }

// Call calls an action of the service iam or sts and decodes the answer, if into is
// not nil.
func (a *API) Call(ctx context.Context, service sigv4.Service, action string, into any, parameters ...string) error {
	form := url.Values{"Action": {action}, "Version": {map[sigv4.Service]string{"iam": "2010-05-08", "sts": "2011-06-15"}[service]}}
	for i := 0; i+1 < len(parameters); i += 2 {
		form.Set(parameters[i], parameters[i+1])
	}
	body := form.Encode()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, a.endpoint, strings.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	r.Header.Set("User-Agent", "doorward-bench")
	if err := sigv4.Sign(r, a.creds, "us-east-1", service, sigv4.HexBody([]byte(body)), iam.At(time.Now())); err != nil {
		return err
	}
	answer, err := a.http.RoundTrip(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, 1<<20))
	switch {
	case err != nil:
		return err
	case answer.StatusCode != http.StatusOK:
		return fmt.Errorf("%s: %s: %s", action, answer.Status, text)
	case into == nil:
		return nil
	}
	return xml.Unmarshal(text, into)
}
