package s3

import (
	"strings"

	"github.com/doorward/doorward/authz/head"
	"github.com/doorward/doorward/iam"
)

// readQuery reads the raw query piece by piece. It does not use url.ParseQuery,
// which drops a piece with a semicolon and reads + as a space: then the check and
// the server could see two different queries.
func (r *Result) readQuery(query, method string) error {
	if method == "OPTIONS" {
		// A preflight repeats the query of the request to come, which will be read then.
		return nil
	}
	for query != "" {
		var piece string
		piece, query, _ = strings.Cut(query, "&")
		if piece == "" {
			continue
		}
		name, value, _ := strings.Cut(piece, "=")
		name, ok := r.text.unescape(name)
		if !ok {
			return errEscape("query parameter name")
		}
		if err := r.readParam(name, value); err != nil {
			return err
		}
	}
	return nil
}

func (r *Result) readParam(name, raw string) error {
	if name != "" && lowerByte(name[0]) == 'x' {
		if f, exact := headerField(head.Of(name)); f != 0 {
			return r.readMovedHeader(f, exact, name, raw)
		}
		if len(name) > 6 && equalFold(name[:6], "x-amz-") {
			return nil // of the signature, or a header that is not read
		}
	}
	p, known := paramID(name)
	if !known || p == ordinaryParam {
		return checkIgnored(name, raw, known)
	}
	if r.params>>p&1 != 0 {
		return iam.Errorf(InvalidArgument, "query parameter %s is given more than once", name)
	}
	r.params |= 1 << p
	kind := params[p].kind
	switch {
	case kind == subresource && raw != "":
		return iam.Errorf(InvalidArgument, "query parameter %s takes no value", name)
	case raw == "" && (kind == upload || kind == modifier):
		return iam.Errorf(InvalidArgument, "query parameter %s has no value", name)
	case kind == subresource || kind == upload:
		if r.sub != plain {
			return iam.Errorf(InvalidRequest, "the request names two subresources, %s and %s", params[r.sub].name, name)
		}
		r.sub = p
	}
	value, err := r.queryValue(name, raw)
	if err != nil {
		return err
	}
	return r.takeParam(p, value)
}

// takeParam keeps the values that are read.
func (r *Result) takeParam(p param, value string) error {
	switch p {
	case pVersionID:
		r.target.versionID = value
	case pListType:
		if value != "2" {
			return iam.Errorf(InvalidArgument, "list-type is %q; 2 is the only one", value)
		}
	case pDelimiter:
		r.set(field(KeyDelimiter), value)
	case pMaxKeys:
		r.set(field(KeyMaxKeys), value)
	case pPrefix:
		r.set(field(KeyPrefix), value)
	}
	return nil
}

// queryValue decodes a value that matters. A raw + is a plus sign to some servers
// and a space to others, and a raw semicolon ends the value for some, so neither
// is taken.
func (r *Result) queryValue(name, raw string) (string, error) {
	if !only(raw, valueByte) {
		return "", iam.Errorf(InvalidURI, "query parameter %s has an unencoded + or ;", name)
	}
	value, ok := r.text.unescape(raw)
	if !ok {
		return "", errEscape("query parameter " + name)
	}
	return value, nil
}

// readMovedHeader takes an x-amz- parameter: presigning clients move headers into
// the query, where they count as headers.
func (r *Result) readMovedHeader(f field, exact bool, name, raw string) error {
	if !exact {
		return iam.Errorf(InvalidArgument, "query parameter %s is spelled with an underscore", name)
	}
	value, err := r.queryValue(name, raw)
	if err != nil {
		return err
	}
	return r.take(f, name, trim(value))
}

// checkIgnored lets a parameter pass that is not read. One that S3 does not know
// needs a value: a name alone looks like a subresource, and a name that is one but
// for its case is one to some servers.
func checkIgnored(name, raw string, known bool) error {
	if strings.IndexByte(name, ';') >= 0 || strings.IndexByte(raw, ';') >= 0 {
		return iam.Errorf(InvalidURI, "query parameter %s has an unencoded ;", name)
	}
	if known {
		return nil
	}
	if spelled, ok := paramSpelled[strings.ToLower(name)]; ok {
		return iam.Errorf(InvalidArgument, "query parameter %s is spelled %s", name, spelled)
	}
	if raw == "" {
		return iam.Errorf(NotImplemented, "subresource %s is not known", name)
	}
	return nil
}
