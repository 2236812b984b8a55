package s3

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strings"

	"github.com/doorward/doorward/iam"
)

// Limits of an XML body. A full multi-object delete has 1 + 6 × 1000 elements;
// no document of S3 that is read here is deeper than six.
const (
	maxXMLBytes    = 2 << 20
	maxXMLElements = 8192
	maxXMLDepth    = 8
)

const s3Namespace = "http://s3.amazonaws.com/doc/2006-03-01/"

// element is one XML element: with children, or with content.
type element struct {
	name     string
	content  string
	children []element
}

// parseXML reads a document whose root has the given name. Everything that two
// XML readers could take in two ways is refused: document types and entities of
// one's own, comments and processing instructions inside, elements of a namespace
// other than the root's, text beside elements, and anything after the root.
func parseXML(body []byte, root string) (*element, error) {
	if len(body) > maxXMLBytes {
		return nil, iam.Errorf(MalformedXML, "document has %d bytes; the limit is %d", len(body), maxXMLBytes)
	}
	p := xmlParser{decoder: xml.NewDecoder(bytes.NewReader(bytes.TrimPrefix(body, []byte("\ufeff"))))}
	start, err := p.prolog()
	if err != nil {
		return nil, err
	}
	if p.space = start.Name.Space; start.Name.Local != root || p.space != "" && p.space != s3Namespace {
		return nil, iam.Errorf(MalformedXML, "root element is %s; %s in the namespace of S3 is expected", start.Name.Local, root)
	}
	e, err := p.element(start, 1)
	if err != nil {
		return nil, err
	}
	return &e, p.epilog()
}

type xmlParser struct {
	decoder  *xml.Decoder
	space    string
	elements int
}

func (p *xmlParser) token() (xml.Token, error) {
	t, err := p.decoder.Token()
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, iam.Errorf(MalformedXML, "document is not well-formed: %w", err)
	}
	return t, err
}

// prolog returns the root's start.
func (p *xmlParser) prolog() (xml.StartElement, error) {
	for first := true; ; first = false {
		t, err := p.token()
		if errors.Is(err, io.EOF) {
			return xml.StartElement{}, iam.Errorf(MalformedXML, "document is empty")
		}
		if err != nil {
			return xml.StartElement{}, err
		}
		switch t := t.(type) {
		case xml.StartElement:
			return t, nil
		case xml.ProcInst:
			if first && t.Target == "xml" {
				continue
			}
		case xml.CharData:
			if blank(t) {
				continue
			}
		}
		return xml.StartElement{}, iam.Errorf(MalformedXML, "document has something other than an XML declaration before its root")
	}
}

// epilog makes sure that nothing but white space follows the root.
func (p *xmlParser) epilog() error {
	for {
		t, err := p.token()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if text, ok := t.(xml.CharData); !ok || !blank(text) {
			return iam.Errorf(MalformedXML, "document goes on after its root")
		}
	}
}

// element reads the rest of an element whose start has been read.
func (p *xmlParser) element(start xml.StartElement, depth int) (element, error) {
	e := element{name: start.Name.Local}
	if p.elements++; p.elements > maxXMLElements || depth > maxXMLDepth {
		return e, iam.Errorf(MalformedXML, "document has too many or too deeply nested elements")
	}
	if start.Name.Space != p.space {
		return e, iam.Errorf(MalformedXML, "element %s is of another namespace than the document", e.name)
	}
	var text strings.Builder
	for {
		t, err := p.token()
		if err != nil {
			return e, iam.Errorf(MalformedXML, "element %s does not end: %w", e.name, err)
		}
		switch t := t.(type) {
		case xml.StartElement:
			child, err := p.element(t, depth+1)
			if err != nil {
				return e, err
			}
			e.children = append(e.children, child)
		case xml.CharData:
			text.Write(t)
		case xml.EndElement:
			return e, e.close(text.String())
		default:
			return e, iam.Errorf(MalformedXML, "element %s holds a comment, an instruction or a document type", e.name)
		}
	}
}

// close sets the content of an element without children; one with children has
// none but white space.
func (e *element) close(text string) error {
	if len(e.children) == 0 {
		e.content = text
		return nil
	}
	if !blank([]byte(text)) {
		return iam.Errorf(MalformedXML, "element %s holds text beside elements", e.name)
	}
	return nil
}

// allow refuses children other than the named ones, and a second one of a name
// that does not end in a star. S3 validates its documents in the same way.
func (e *element) allow(names ...string) error {
	var seen uint64
	for i := range e.children {
		name := e.children[i].name
		at := -1
		for j, allowed := range names {
			if strings.TrimSuffix(allowed, "*") == name {
				at = j
			}
		}
		if at < 0 {
			return iam.Errorf(MalformedXML, "element %s holds an unexpected %s", e.name, name)
		}
		if seen>>at&1 != 0 && !strings.HasSuffix(names[at], "*") {
			return iam.Errorf(MalformedXML, "element %s holds more than one %s", e.name, name)
		}
		seen |= 1 << at
	}
	if len(e.children) == 0 && !blank([]byte(e.content)) {
		return iam.Errorf(MalformedXML, "element %s holds text where elements are expected", e.name)
	}
	return nil
}

// child returns the first child of that name, nil if there is none.
func (e *element) child(name string) *element {
	for i := range e.children {
		if e.children[i].name == name {
			return &e.children[i]
		}
	}
	return nil
}

// text returns the content of the first child of that name.
func (e *element) text(name string) string {
	if c := e.child(name); c != nil {
		return c.content
	}
	return ""
}

func blank(text []byte) bool { return len(bytes.Trim(text, " \t\r\n")) == 0 }
