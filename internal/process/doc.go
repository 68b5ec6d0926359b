// Package process holds a started program together with everything it starts in
// its turn, so that all of it can be ended, and keeps the end of what it writes.
package process
