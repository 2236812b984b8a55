package server

import (
	"crypto/tls"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/doorward/doorward/cmd/doorward/config"
)

// certificate is a pair of files that may be replaced while the node runs.
type certificate struct {
	files  config.Certificate
	mu     sync.Mutex // guards the rest
	stamps [2]time.Time
	pair   *tls.Certificate
}

// get returns the pair as it is on disk. If the files cannot be read, or do not fit
// together because only one has been replaced yet, the last good pair serves on.
func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	stamps, err := c.modified()
	if err == nil && (c.pair == nil || stamps != c.stamps) {
		var pair tls.Certificate
		if pair, err = tls.LoadX509KeyPair(c.files.Certificate, c.files.Key); err == nil {
			c.pair, c.stamps = &pair, stamps
		}
	}
	if c.pair == nil {
		return nil, fmt.Errorf("tls certificate: %w", err)
	}
	return c.pair, nil
}

func (c *certificate) modified() (stamps [2]time.Time, err error) {
	for i, name := range []string{c.files.Certificate, c.files.Key} {
		info, err := os.Stat(name)
		if err != nil {
			return stamps, err
		}
		stamps[i] = info.ModTime()
	}
	return stamps, nil
}
