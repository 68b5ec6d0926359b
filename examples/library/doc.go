// Package library shows how to search from Go: its examples are tests.
package library
