package train

import (
	"io"
	"os"
)

// takeStandard takes standard input and output for frames. What Go code writes to
// standard output from then on goes to standard error.
func takeStandard() (io.Reader, io.Writer, error) {
	in, out := os.Stdin, os.Stdout
	null, err := os.Open(os.DevNull)
	if err != nil {
		return nil, nil, err
	}
	os.Stdin, os.Stdout = null, os.Stderr
	return in, out, nil
}

// endGroup does nothing: the job object that the program holds does it.
func endGroup() {}
