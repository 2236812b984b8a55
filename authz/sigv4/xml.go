package sigv4

import (
	"unicode/utf8"
)

// AppendS3 appends the S3 error document of e: Code, Message, the further
// fields, Resource, RequestId and HostId. An answer to HEAD has no body.
func (e *Error) AppendS3(dst []byte, resource, requestID, hostID string) []byte {
	dst = append(dst, xmlDeclaration+"<Error>"...)
	dst = appendElement(dst, "Code", string(e.Code))
	dst = appendElement(dst, "Message", e.Message)
	for _, f := range e.Fields {
		dst = appendElement(dst, f.Name, f.Value)
	}
	dst = appendElement(dst, "Resource", resource)
	dst = appendElement(dst, "RequestId", requestID)
	dst = appendElement(dst, "HostId", hostID)
	return append(dst, "</Error>"...)
}

// AppendQuery appends the error document of the Query services. The namespace is
// that of the API version, e.g. https://iam.amazonaws.com/doc/2010-05-08/.
func (e *Error) AppendQuery(dst []byte, namespace, requestID string) []byte {
	dst = append(dst, `<ErrorResponse xmlns="`...)
	dst = appendEscaped(dst, namespace)
	dst = append(dst, `"><Error>`...)
	blame := "Sender"
	if e.Status >= 500 {
		blame = "Receiver"
	}
	dst = appendElement(dst, "Type", blame)
	dst = appendElement(dst, "Code", string(e.Code))
	dst = appendElement(dst, "Message", e.Message)
	dst = append(dst, "</Error>"...)
	dst = appendElement(dst, "RequestId", requestID)
	return append(dst, "</ErrorResponse>"...)
}

const xmlDeclaration = `<?xml version="1.0" encoding="UTF-8"?>` + "\n"

func appendElement(dst []byte, name, value string) []byte {
	dst = append(dst, '<')
	dst = append(dst, name...)
	dst = append(dst, '>')
	dst = appendEscaped(dst, value)
	dst = append(dst, "</"...)
	dst = append(dst, name...)
	return append(dst, '>')
}

// appendEscaped writes text as XML character data. What XML 1.0 cannot carry
// (control characters, broken UTF-8) becomes U+FFFD: the text came from outside.
func appendEscaped(dst []byte, text string) []byte {
	for _, r := range text {
		switch {
		case r == '&':
			dst = append(dst, "&amp;"...)
		case r == '<':
			dst = append(dst, "&lt;"...)
		case r == '>':
			dst = append(dst, "&gt;"...)
		case r == '"':
			dst = append(dst, "&quot;"...)
		case r == '\r':
			dst = append(dst, "&#xD;"...)
		case r < ' ' && r != '\n' && r != '\t', r == 0xFFFE, r == 0xFFFF:
			dst = utf8.AppendRune(dst, utf8.RuneError)
		default:
			dst = utf8.AppendRune(dst, r)
		}
	}
	return dst
}
