//go:build race

package train

func init() { raced = true }
