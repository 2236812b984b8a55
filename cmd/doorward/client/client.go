package client

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/doorward/doorward/iam"
)

// region is the one that IAM and STS requests are signed for, whatever the
// endpoint; it is AWS's own for its global services.
const region = "us-east-1"

// maxAnswer bounds the bytes of an answer that are read.
const maxAnswer = 64 << 20

// Config says which store to call and as whom.
type Config struct {
	Endpoint    string        // http:// or https:// URL of the store's API
	Credentials Credentials   // zero: only calls that need no signature
	Timeout     time.Duration // of a whole call, connection included
	CABundle    string        // file of PEM certificates to trust; empty: the system's
	NoWait      bool          // changes are answered before the sidecars have followed
	UserAgent   string
	// KeyEnds is told when the long-term key that signs ends, by each answer of a store
	// that finds that near; nil: nobody is.
	KeyEnds func(at string)
}

// Client calls one store. It is safe for use by several goroutines.
type Client struct {
	endpoint *url.URL
	creds    Credentials
	http     *http.Client
	agent    string
	noWait   bool
	keyEnds  func(at string)
}

// New returns a client; it opens no connection.
func New(config Config) (*Client, error) {
	endpoint, err := url.Parse(config.Endpoint)
	if err != nil || (endpoint.Scheme != "http" && endpoint.Scheme != "https") || endpoint.Host == "" {
		return nil, fmt.Errorf("endpoint %q: want a URL such as http://127.0.0.1:8470", config.Endpoint)
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	if config.CABundle != "" {
		if transport.TLSClientConfig, err = trusting(config.CABundle); err != nil {
			return nil, err
		}
	}
	return &Client{
		endpoint: endpoint,
		creds:    config.Credentials,
		http:     &http.Client{Transport: transport, Timeout: config.Timeout, CheckRedirect: noRedirects},
		agent:    config.UserAgent,
		noWait:   config.NoWait,
		keyEnds:  config.KeyEnds,
	}, nil
}

// As returns a client of the same store that signs with other credentials.
func (c *Client) As(creds Credentials) *Client {
	other := *c
	other.creds = creds
	return &other
}

func trusting(bundle string) (*tls.Config, error) {
	pem, err := os.ReadFile(bundle)
	if err != nil {
		return nil, fmt.Errorf("read CA bundle: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("CA bundle %s: no certificate in it", bundle)
	}
	return &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}, nil
}

// noRedirects returns the redirect itself: a signature is good for one host and
// path only.
func noRedirects(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// Meta is what the store says about an answer beside its content.
type Meta struct {
	RequestID string
	Index     iam.Index // log index that the answer reflects; zero if not given
	Fence     *Fence    // of a change that takes authority away; nil: nobody waited
}

// Fence is how far the sidecars had followed a change when it was answered.
type Fence struct {
	Applied  int           `json:"applied"`
	Sidecars int           `json:"sidecars"` // that serve
	Took     time.Duration `json:"-"`
	Millis   int64         `json:"ms"`
	Behind   []Behind      `json:"behind,omitempty"`
	Silent   []string      `json:"silent_nodes,omitempty"` // nodes that were asked in vain for their sidecars
}

// Behind is a sidecar that had not followed.
type Behind struct {
	Name  string `json:"name"`
	Until string `json:"serves_until"` // at the latest, unless it hears from the store again
}

// service is an AWS Query service: the name in its credential scope and the API
// version in its forms.
type service struct{ name, version string }

var (
	iamService = service{"iam", "2010-05-08"}
	stsService = service{"sts", "2011-06-15"}
)

// query calls one action of a Query service and decodes the <ActionResult>
// element into result, which may be nil.
func (c *Client) query(ctx context.Context, s service, action string, form url.Values, result any) (Meta, error) {
	values := url.Values{"Action": {action}, "Version": {s.version}}
	for key, list := range form {
		values[key] = list
	}
	answer, body, err := c.send(ctx, s.name, http.MethodPost, "/", "application/x-www-form-urlencoded; charset=utf-8", []byte(values.Encode()))
	if err != nil {
		return Meta{}, err
	}
	meta := metaOf(answer)
	if result == nil {
		return meta, nil
	}
	if err := decodeResult(body, result); err != nil {
		return meta, &Unavailable{Endpoint: c.endpoint.String(), Cause: fmt.Errorf("answer of %s: %w", action, err)}
	}
	return meta, nil
}

// decodeResult decodes the first child of the answer's root into result.
func decodeResult(body []byte, result any) error {
	decoder := xml.NewDecoder(bytes.NewReader(body))
	for depth := 0; ; {
		token, err := decoder.Token()
		if err != nil {
			return err
		}
		start, ok := token.(xml.StartElement)
		if !ok {
			continue
		}
		if depth++; depth == 2 {
			return decoder.DecodeElement(result, &start)
		}
	}
}

// JSON calls method on a path under /v1 with in as the body, if not nil, and
// decodes the answer into out, if not nil.
func (c *Client) JSON(ctx context.Context, method, path string, in, out any) (Meta, error) {
	var body []byte
	if in != nil {
		var err error
		if body, err = json.Marshal(in); err != nil {
			return Meta{}, err
		}
	}
	answer, content, err := c.send(ctx, iamService.name, method, path, "application/json", body)
	if err != nil {
		return Meta{}, err
	}
	if out == nil || len(content) == 0 {
		return metaOf(answer), nil
	}
	if err := json.Unmarshal(content, out); err != nil {
		return metaOf(answer), &Unavailable{Endpoint: c.endpoint.String(), Cause: fmt.Errorf("answer of %s: %w", path, err)}
	}
	return metaOf(answer), nil
}

// pages collects all pages of a list under /v1; items takes them out of an answer.
func pages[A, T any](ctx context.Context, c *Client, path string, query url.Values, items func(*A) []T) ([]T, error) {
	all := []T{}
	query.Set("MaxItems", pageSize)
	for {
		var raw json.RawMessage
		if _, err := c.JSON(ctx, http.MethodGet, path+"?"+query.Encode(), nil, &raw); err != nil {
			return nil, err
		}
		var answer A
		var page struct {
			Marker string `json:"marker"`
		}
		if err := errors.Join(json.Unmarshal(raw, &answer), json.Unmarshal(raw, &page)); err != nil {
			return nil, &Unavailable{Endpoint: c.endpoint.String(), Cause: fmt.Errorf("answer of %s: %w", path, err)}
		}
		all = append(all, items(&answer)...)
		if page.Marker == "" {
			return all, nil
		}
		query.Set("Marker", page.Marker)
	}
}

// Ready asks /readyz and returns what it says. A store that is not ready is
// Unavailable.
func (c *Client) Ready(ctx context.Context) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.endpoint.JoinPath("/readyz").String(), nil)
	if err != nil {
		return "", err
	}
	answer, body, err := c.do(request)
	if err != nil {
		return "", err
	}
	text := strings.TrimSpace(string(body))
	if answer.StatusCode != http.StatusOK {
		return "", &Unavailable{Endpoint: c.endpoint.String(), Cause: errors.New(text)}
	}
	return text, nil
}

// longestPause is how long a client waits at most when it is told to ask again.
const longestPause = 5 * time.Second

// send sends a request, and once more if the store says that nothing happened and when
// to ask again. An answer other than 2xx is an error.
func (c *Client) send(ctx context.Context, service, method, path, contentType string, body []byte) (*http.Response, []byte, error) {
	answer, content, err := c.sendOnce(ctx, service, method, path, contentType, body)
	if err != nil {
		return nil, nil, err
	}
	if seconds, err := strconv.Atoi(answer.Header.Get("Retry-After")); err == nil && answer.StatusCode/100 != 2 && seconds >= 0 {
		pause := time.NewTimer(min(time.Duration(seconds)*time.Second, longestPause))
		defer pause.Stop()
		select {
		case <-pause.C:
		case <-ctx.Done():
			return nil, nil, c.refusal(answer, content)
		}
		if answer, content, err = c.sendOnce(ctx, service, method, path, contentType, body); err != nil {
			return nil, nil, err
		}
	}
	if answer.StatusCode/100 != 2 {
		return nil, nil, c.refusal(answer, content)
	}
	if at := answer.Header.Get("X-Doorward-Key-Expires"); at != "" && c.keyEnds != nil {
		c.keyEnds(at)
	}
	return answer, content, nil
}

// sendOnce signs a request if there are credentials, sends it and reads the answer.
func (c *Client) sendOnce(ctx context.Context, service, method, path, contentType string, body []byte) (*http.Response, []byte, error) {
	target := c.endpoint.Scheme + "://" + c.endpoint.Host + path
	request, err := http.NewRequestWithContext(ctx, method, target, bytes.NewReader(body))
	if err != nil {
		return nil, nil, err
	}
	request.Header.Set("Content-Type", contentType)
	if c.noWait {
		request.Header.Set("X-Doorward-Wait", "0")
	}
	if err := c.sign(request, service, body); err != nil {
		return nil, nil, err
	}
	return c.do(request)
}

func (c *Client) do(request *http.Request) (*http.Response, []byte, error) {
	request.Header.Set("User-Agent", c.agent)
	answer, err := c.http.Do(request)
	if err != nil {
		return nil, nil, &Unavailable{Endpoint: c.endpoint.String(), Cause: bare(err)}
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	if err != nil {
		return nil, nil, &Unavailable{Endpoint: c.endpoint.String(), Cause: err}
	}
	return answer, body, nil
}

// bare drops the method and URL that net/http puts before the cause.
func bare(err error) error {
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		return wrapped.Err
	}
	return err
}

func metaOf(answer *http.Response) Meta {
	index, _ := strconv.ParseUint(answer.Header.Get("X-Doorward-Index"), 10, 64)
	return Meta{RequestID: answer.Header.Get("X-Amzn-Requestid"), Index: iam.Index(index), Fence: fenceOf(answer.Header)}
}

func fenceOf(header http.Header) *Fence {
	f := &Fence{Silent: header.Values("X-Doorward-Silent")}
	if n, _ := fmt.Sscanf(header.Get("X-Doorward-Applied"), "%d/%d; ms=%d", &f.Applied, &f.Sidecars, &f.Millis); n != 3 {
		return nil
	}
	f.Took = time.Duration(f.Millis) * time.Millisecond
	for _, text := range header.Values("X-Doorward-Behind") {
		name, until, _ := strings.Cut(text, "; until=")
		if plain, err := url.PathUnescape(name); err == nil {
			name = plain
		}
		f.Behind = append(f.Behind, Behind{name, until})
	}
	return f
}
