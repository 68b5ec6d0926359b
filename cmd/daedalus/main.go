// Command daedalus searches for architectures: see `daedalus --help`.
package main

import (
	"os"

	"github.com/daedalus-search/daedalus/internal/cli"
)

func main() { os.Exit(cli.Main()) }
