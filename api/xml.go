package api

import (
	"encoding/xml"
	"strings"

	"github.com/doorward/doorward/iam"
)

// response wraps an answer as the Query services do:
// <XResponse><XResult>…</XResult><ResponseMetadata/></XResponse>, without a
// Result for actions that answer nothing.
type response struct {
	action *action
	result any
	id     string
}

// MarshalXML implements xml.Marshaler.
func (r response) MarshalXML(e *xml.Encoder, _ xml.StartElement) error {
	root := xml.StartElement{Name: xml.Name{Space: r.action.namespace(), Local: r.action.name + "Response"}}
	if err := e.EncodeToken(root); err != nil {
		return err
	}
	if r.result != nil {
		start := xml.StartElement{Name: xml.Name{Local: r.action.name + "Result"}}
		if err := e.EncodeElement(r.result, start); err != nil {
			return err
		}
	}
	metadata := struct {
		RequestID string `xml:"RequestId"`
	}{r.id}
	if err := e.EncodeElement(metadata, xml.StartElement{Name: xml.Name{Local: "ResponseMetadata"}}); err != nil {
		return err
	}
	return e.EncodeToken(root.End())
}

// listOf is a list in an answer. It is written even if empty: clients of the
// Query services look for the element.
type listOf[T any] struct {
	Member []T `xml:"member"`
}

func listing[T, R any](records []R, describe func(R) T) listOf[T] {
	var l listOf[T]
	for _, r := range records {
		l.Member = append(l.Member, describe(r))
	}
	return l
}

// stamp is an instant in an answer, left out by omitempty when unset.
type stamp iam.Time

// MarshalText implements encoding.TextMarshaler.
func (s stamp) MarshalText() ([]byte, error) { return []byte(iam.Time(s).ISO()), nil }

// page is the end of every answer that comes in pages.
type page struct {
	IsTruncated bool
	Marker      string `xml:",omitempty"`
}

// encodeDocument writes a policy document as the Get actions answer it:
// percent-encoded by RFC 3986.
func encodeDocument(document string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := 0; i < len(document); i++ {
		c := document[i]
		if isWord(c) || c == '-' || c == '.' || c == '~' {
			b.WriteByte(c)
			continue
		}
		b.WriteByte('%')
		b.WriteByte(hex[c>>4])
		b.WriteByte(hex[c&15])
	}
	return b.String()
}

type tagXML struct{ Key, Value string }

// tagsXML is left out when there are no tags, as AWS does inside entities.
type tagsXML struct {
	Member []tagXML `xml:"member"`
}

func describeTags(tags []iam.Tag) *tagsXML {
	if len(tags) == 0 {
		return nil
	}
	l := &tagsXML{}
	for _, t := range tags {
		l.Member = append(l.Member, tagXML(t))
	}
	return l
}
