package enrol

import (
	"context"
	"crypto/sha256"
	"errors"
	"log/slog"
	"net"
	"time"

	"github.com/doorward/doorward/cluster/mesh"
	"github.com/doorward/doorward/cluster/pki"
)

// Grant is what a new member gets: PEM, and the id of the cluster.
type Grant struct {
	Certificate, Authorities []byte
	Cluster                  string
}

// Issuer decides who becomes a member. An error that is [ErrRefused] is told to the
// host; of others it is told that it may ask again.
type Issuer interface {
	// Enrol uses a token up for a host that would like to be called name.
	Enrol(ctx context.Context, token string, hash []byte, name string, hosts []string, r pki.Request) (Grant, error)
	// Renew makes a new certificate for a member.
	Renew(ctx context.Context, member pki.Identity, r pki.Request) (Grant, error)
}

// ErrRefused: the cluster does not want the host, and has said why. A new token may
// help, asking again does not.
var ErrRefused = errors.New("enrol: refused")

const (
	// answerTime bounds one question.
	answerTime = 10 * time.Second
	// maxAtOnce bounds the questions of strangers that are worked on.
	maxAtOnce = 32
)

// Serve answers the questions on connections of l until it is closed.
func Serve(l net.Listener, issuer Issuer, log *slog.Logger) {
	busy := make(chan struct{}, maxAtOnce)
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		busy <- struct{}{}
		go func() { // ends after answerTime
			defer func() { <-busy }()
			defer conn.Close()
			if err := serve(conn, issuer); err != nil {
				log.Warn("no certificate was given", "from", conn.RemoteAddr().String(), "reason", err)
			}
		}()
	}
}

func serve(conn net.Conn, issuer Issuer) error {
	if err := conn.SetDeadline(time.Now().Add(answerTime)); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), answerTime)
	defer cancel()
	var q question
	if err := readMessage(conn, &q); err != nil {
		return err
	}
	var member pki.Identity
	if c, ok := conn.(*mesh.Conn); ok {
		member = c.Peer.Identity
	}
	grant, err := decide(ctx, &q, member, issuer)
	a := answer{Certificate: grant.Certificate, Authorities: grant.Authorities, Cluster: grant.Cluster}
	if err != nil {
		a = answer{Refusal: err.Error(), Again: !errors.Is(err, ErrRefused)}
	}
	return errors.Join(err, writeMessage(conn, a))
}

func decide(ctx context.Context, q *question, member pki.Identity, issuer Issuer) (Grant, error) {
	r, err := pki.ParseRequest(q.Request)
	if err != nil {
		return Grant{}, errors.Join(ErrRefused, err)
	}
	switch {
	case q.Token != "":
		hash := sha256.Sum256(q.Secret)
		return issuer.Enrol(ctx, q.Token, hash[:], q.Name, q.Hosts, r)
	case member.Name == "":
		return Grant{}, errors.Join(ErrRefused, errors.New("neither a token nor a certificate was shown"))
	}
	return issuer.Renew(ctx, member, r)
}
