// Package token makes and opens session tokens: the text that a client sends as
// X-Amz-Security-Token.
//
// A token is authenticated ciphertext that names a session's access key, the log
// index at which the session began and its end, so that a sidecar that has not
// heard of the session yet knows how far to wait, and one that has been told a
// lie notices. [Keyring.Seal] makes one, [Keyring.Open] checks one.
//
// A token is no credential: every request must also be signed with the session's
// secret, which is in no token. So the token keys may live on every sidecar
// ([Keyring.Export], [Import]), and a leaked one lets nobody in; it only lets its
// holder name indexes that sidecars would wait for.
package token
