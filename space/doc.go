// Package space is the language of designs: what may be built.
package space
