// Package config reads what a store node is told: a strict YAML file, then the
// environment, then flags, each over the one before.
//
// [Server] is all that can be said. [Settings] names each setting once, and with
// that its place in the file, its variable and its flag. [Load] reads the three and
// remembers where each value came from.
package config
