package clustertest

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"sync"
	"time"

	"github.com/hashicorp/memberlist"

	"github.com/doorward/doorward/cluster"
)

// Gossiping, as the tune of a world, lets its nodes gossip.
func Gossiping(c *cluster.Config) {
	c.Gossip, c.GossipCarrier = c.Listen, whisperer{c.Carrier.(carrier)}
}

// whisperer is the network of packets as one host sees it. Its links are those of the
// other network: a packet on a link that is cut is lost.
type whisperer struct{ carrier }

const whisperPort = 8472

// ipOf gives hosts addresses, because memberlist knows no names.
func ipOf(host string) string {
	var i int
	fmt.Sscanf(host, "host%d", &i)
	return fmt.Sprint("10.0.0.", i+1)
}

func hostOf(address string) string {
	var i int
	fmt.Sscanf(address, "10.0.0.%d:", &i)
	return fmt.Sprint("host", i-1)
}

// Open makes the host reachable for packets.
func (w whisperer) Open(context.Context, string, string, *log.Logger) (memberlist.Transport, string, int, error) {
	e := &ear{net: w.net, host: w.host, packets: make(chan *memberlist.Packet), streams: make(chan net.Conn), done: make(chan struct{})}
	w.net.mu.Lock()
	defer w.net.mu.Unlock()
	w.net.ears[w.host] = e
	return e, ipOf(w.host), whisperPort, nil
}

// MuteGossip loses all packets of the gossip, or none.
func (w *World) MuteGossip(mute bool) {
	w.net.mu.Lock()
	defer w.net.mu.Unlock()
	w.net.mute = mute
}

// ear is a memberlist.Transport.
type ear struct {
	net     *Network
	host    string
	packets chan *memberlist.Packet
	streams chan net.Conn
	done    chan struct{}
	once    sync.Once
}

func (e *ear) FinalAdvertiseAddr(ip string, port int) (net.IP, int, error) {
	return net.ParseIP(ip), port, nil
}

// hears returns who is at an address, nil if nothing gets there.
func (e *ear) hears(address string) *ear {
	to := hostOf(address)
	open, _ := e.net.open(e.host, to)
	e.net.mu.Lock()
	defer e.net.mu.Unlock()
	if !open || e.net.mute {
		return nil
	}
	return e.net.ears[to]
}

func (e *ear) WriteTo(b []byte, address string) (time.Time, error) {
	now := time.Now()
	to := e.hears(address)
	if to == nil {
		return now, nil
	}
	p := &memberlist.Packet{Buf: append([]byte(nil), b...), From: hostAddr(fmt.Sprintf("%s:%d", ipOf(e.host), whisperPort)), Timestamp: now.Add(latency)}
	go func() { // ends with the packet, or with the ear
		time.Sleep(latency)
		select {
		case to.packets <- p:
		case <-to.done:
		}
	}()
	return now, nil
}

func (e *ear) DialTimeout(address string, timeout time.Duration) (net.Conn, error) {
	to := e.hears(address)
	if to == nil {
		time.Sleep(timeout)
		return nil, errors.New("no answer")
	}
	there, back := newPipe(e.net, e.host, to.host), newPipe(e.net, to.host, e.host)
	near := &conn{in: back, out: there, local: e.host, remote: to.host}
	select {
	case to.streams <- &conn{in: there, out: back, local: to.host, remote: e.host}:
		return near, nil
	case <-to.done:
		return nil, errors.New("connection refused")
	case <-time.After(timeout):
		return nil, errors.New("no answer")
	}
}

func (e *ear) PacketCh() <-chan *memberlist.Packet { return e.packets }
func (e *ear) StreamCh() <-chan net.Conn           { return e.streams }

func (e *ear) Shutdown() error {
	e.once.Do(func() {
		close(e.done)
		e.net.mu.Lock()
		defer e.net.mu.Unlock()
		if e.net.ears[e.host] == e {
			delete(e.net.ears, e.host)
		}
	})
	return nil
}
