// Package seal keeps secrets unreadable at rest: it turns a secret into bytes
// that are safe in a log, a snapshot or a backup, and back.
//
// One root key of 32 bytes, which lives outside the data directory, is the only
// thing to guard. [LoadRoot] reads it, [NewKeyring] derives the sealing keys,
// [Keyring.Seal] and [Keyring.Open] use them. [Secret] holds a plaintext that
// must not be printed by accident.
package seal
