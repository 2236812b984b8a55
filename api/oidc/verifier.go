package oidc

import (
	"context"
	"crypto/sha1"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	// keysLive is how long fetched keys are used before they are fetched again.
	keysLive = time.Hour
	// refreshAfter is the least time between two fetches from one issuer, so that
	// tokens with made-up key ids cannot make the store flood it.
	refreshAfter = 30 * time.Second
	// maxFetch bounds the bytes of a document of an issuer.
	maxFetch = 1 << 20
	// fetchTimeout bounds one fetch.
	fetchTimeout = 8 * time.Second
	// maxIssuers bounds the issuers whose keys are kept.
	maxIssuers = 1000
)

// Issuer is an identity provider that the store trusts.
type Issuer struct {
	// URL without its scheme, which is always https, as in the ARN of the provider.
	URL string
	// Thumbprints are the SHA-1 of certificates, in lower-case hexadecimal: one of
	// them may stand at the top of the issuer's chain where no certificate
	// authority of the system does (IAM user guide, "Obtain the thumbprint").
	Thumbprints []string
}

// Verifier verifies tokens and keeps the keys of issuers. It is safe for
// concurrent use; the zero value is ready.
type Verifier struct {
	// Dial opens connections; nil dials any address but loopback and link-local
	// ones, where the metadata services of hosts live.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Roots are the certificate authorities to trust; nil means the system's.
	Roots *x509.CertPool

	mu   sync.Mutex
	kept map[string]*issuerKeys
}

// issuerKeys are the keys of one issuer. Its lock is held while they are fetched,
// so that one fetch serves all who wait.
type issuerKeys struct {
	mu      sync.Mutex
	keys    []key
	fetched time.Time // of the last attempt, successful or not
}

// Verify proves that issuer signed the token and that it is within its life.
func (v *Verifier) Verify(ctx context.Context, t *Token, issuer Issuer, now time.Time) error {
	if _, ok := algorithms[t.algorithm]; !ok {
		return fmt.Errorf("%w: algorithm %q is not accepted", ErrRefused, t.algorithm)
	}
	if t.Text("iss") != "https://"+issuer.URL {
		return fmt.Errorf("%w: issued by somebody else", ErrRefused)
	}
	keys, err := v.keysOf(ctx, issuer, now, false)
	if err != nil {
		return err
	}
	if !t.signedBy(keys) {
		// The issuer may have a new key since.
		if keys, err = v.keysOf(ctx, issuer, now, true); err != nil {
			return err
		}
		if !t.signedBy(keys) {
			return fmt.Errorf("%w: no key of the issuer made the signature", ErrRefused)
		}
	}
	return t.checkTimes(now)
}

// keysOf returns the issuer's keys, fetched if there are none, they are old, or the
// caller wants fresher ones.
func (v *Verifier) keysOf(ctx context.Context, issuer Issuer, now time.Time, fresh bool) ([]key, error) {
	kept := v.entry(issuer.URL)
	kept.mu.Lock()
	defer kept.mu.Unlock()
	age := now.Sub(kept.fetched)
	old := len(kept.keys) == 0 || age > keysLive || fresh
	if !old || !kept.fetched.IsZero() && age >= 0 && age < refreshAfter {
		if len(kept.keys) == 0 {
			return nil, fmt.Errorf("%w: https://%s: asked a moment ago", ErrUnreachable, issuer.URL)
		}
		return kept.keys, nil
	}
	kept.fetched = now
	keys, err := v.fetchKeys(ctx, issuer)
	if err == nil {
		kept.keys = keys
	}
	if len(kept.keys) == 0 || age > keysLive && err != nil {
		return nil, fmt.Errorf("%w: https://%s: %w", ErrUnreachable, issuer.URL, err)
	}
	return kept.keys, nil
}

func (v *Verifier) entry(url string) *issuerKeys {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.kept == nil || len(v.kept) > maxIssuers {
		v.kept = map[string]*issuerKeys{}
	}
	if v.kept[url] == nil {
		v.kept[url] = &issuerKeys{}
	}
	return v.kept[url]
}

// fetchKeys follows OpenID Connect Discovery 1.0, section 4.
func (v *Verifier) fetchKeys(ctx context.Context, issuer Issuer) ([]key, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	client := v.client(issuer)
	defer client.CloseIdleConnections()
	text, err := fetch(ctx, client, "https://"+strings.TrimSuffix(issuer.URL, "/")+"/.well-known/openid-configuration")
	if err != nil {
		return nil, err
	}
	var discovered struct {
		Issuer string `json:"issuer"`
		Keys   string `json:"jwks_uri"`
	}
	if err := json.Unmarshal(text, &discovered); err != nil {
		return nil, fmt.Errorf("discovery: %w", err)
	}
	if discovered.Issuer != "https://"+issuer.URL {
		return nil, fmt.Errorf("discovery: the document is of issuer %q", discovered.Issuer)
	}
	if at, err := url.Parse(discovered.Keys); err != nil || at.Scheme != "https" {
		return nil, errors.New("discovery: jwks_uri is no https URL")
	}
	if text, err = fetch(ctx, client, discovered.Keys); err != nil {
		return nil, err
	}
	return parseKeys(text)
}

func fetch(ctx context.Context, client *http.Client, from string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, from, nil)
	if err != nil {
		return nil, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: HTTP status %d", from, resp.StatusCode)
	}
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxFetch+1))
	if err == nil && len(text) > maxFetch {
		err = fmt.Errorf("%s: longer than %d bytes", from, maxFetch)
	}
	return text, err
}

// client talks to one issuer over TLS, without proxies and redirects.
func (v *Verifier) client(issuer Issuer) *http.Client {
	return &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return errors.New("redirects are not followed") },
		Transport:     &http.Transport{DialContext: v.dialer(), TLSClientConfig: v.tls(issuer.Thumbprints)},
	}
}

func (v *Verifier) dialer() func(ctx context.Context, network, address string) (net.Conn, error) {
	if v.Dial != nil {
		return v.Dial
	}
	d := &net.Dialer{Timeout: fetchTimeout, Control: func(_, address string, _ syscall.RawConn) error { return refuseLocal(address) }}
	return d.DialContext
}

// refuseLocal refuses addresses at which no identity provider can be but the host's
// own services are. It is asked about the address itself, after names are resolved.
func refuseLocal(address string) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return err
	}
	ip := at.Addr().Unmap()
	if ip.IsLoopback() || ip.IsLinkLocalUnicast() || ip.IsMulticast() || ip.IsUnspecified() {
		return fmt.Errorf("%s is an address of this host, not of an identity provider", ip)
	}
	return nil
}

// tls verifies the issuer's certificate against the certificate authorities or, if
// none vouches for it, against the thumbprints.
func (v *Verifier) tls(thumbprints []string) *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		// Verification is VerifyConnection's, which also knows the thumbprints.
		InsecureSkipVerify: true,
		VerifyConnection: func(state tls.ConnectionState) error {
			return v.verifyChain(state, thumbprints)
		},
	}
}

func (v *Verifier) verifyChain(state tls.ConnectionState, thumbprints []string) error {
	chain := state.PeerCertificates
	options := x509.VerifyOptions{DNSName: state.ServerName, Roots: v.Roots, Intermediates: x509.NewCertPool()}
	for _, c := range chain[1:] {
		options.Intermediates.AddCert(c)
	}
	_, err := chain[0].Verify(options)
	if err == nil {
		return nil
	}
	for _, c := range chain {
		if slices.Contains(thumbprints, thumbprint(c)) {
			options.Roots = x509.NewCertPool()
			options.Roots.AddCert(c)
			_, pinned := chain[0].Verify(options)
			return pinned
		}
	}
	return err
}

func thumbprint(c *x509.Certificate) string {
	sum := sha1.Sum(c.Raw)
	return hex.EncodeToString(sum[:])
}

// Thumbprint connects to an issuer and returns the thumbprint of the last
// certificate of its chain, which is what IAM keeps if none is given. The
// certificate itself is not verified: whoever registers a provider decides to
// trust it.
func (v *Verifier) Thumbprint(ctx context.Context, issuerURL string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	host, _, _ := strings.Cut(issuerURL, "/")
	conn, err := v.dialer()(ctx, "tcp", net.JoinHostPort(strings.Trim(host, "[]"), "443"))
	if err != nil {
		return "", fmt.Errorf("%w: https://%s: %w", ErrUnreachable, issuerURL, err)
	}
	defer conn.Close()
	secured := tls.Client(conn, &tls.Config{ServerName: strings.Trim(host, "[]"), InsecureSkipVerify: true, MinVersion: tls.VersionTLS12})
	if err := secured.HandshakeContext(ctx); err != nil {
		return "", fmt.Errorf("%w: https://%s: %w", ErrUnreachable, issuerURL, err)
	}
	chain := secured.ConnectionState().PeerCertificates
	return thumbprint(chain[len(chain)-1]), nil
}
