// Package dev runs one store node and one authorizer in this process, on loopback
// and with real files, for trying Doorward and developing against it.
//
// [Run] is all of it: it says in which order the parts start and stop, and why.
// config.go holds what can be chosen, welcome.go what is printed.
package dev
