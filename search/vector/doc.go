// Package vector searches among real vectors.
package vector
