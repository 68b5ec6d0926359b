// Command gen writes data/random.bin from the archive of ArchGym's inputs, and
// checks that the other three traces follow from it as trace.go says.
//
//	go run ./gen -archive ../../../shared/data/archgym/archgym_inputs.zip -out data/random.bin
package main

import (
	"archive/zip"
	"flag"
	"fmt"
	"io"
	"log"
	"os"

	"github.com/daedalus-search/daedalus/hardware/dram"
)

const folder = "sims/DRAM/DRAMSys/library/resources/traces/"

func main() {
	archive := flag.String("archive", "", "archgym_inputs.zip")
	out := flag.String("out", "data/random.bin", "file to write")
	flag.Parse()
	if err := run(*archive, *out); err != nil {
		log.Fatal(err)
	}
}

func run(archive, out string) error {
	z, err := zip.OpenReader(archive)
	if err != nil {
		return err
	}
	defer z.Close()
	read := func(name string) (dram.Trace, error) {
		f, err := z.Open(folder + name + ".stl")
		if err != nil {
			return dram.Trace{}, err
		}
		defer f.Close()
		return dram.ReadSTL(io.Reader(f), name+".stl")
	}
	random, err := read("random")
	if err != nil {
		return err
	}
	var packed []byte
	for i, q := range random.Requests {
		a := q.Address / 64
		if q.Write || q.Address%64 != 0 || a >= 1<<24 || q.Cycle != int64(i) {
			return fmt.Errorf("random.stl: request %d is %+v, want a read of 64 bytes in cycle %d", i, q, i)
		}
		packed = append(packed, byte(a), byte(a>>8), byte(a>>16))
	}
	if err := os.WriteFile(out, packed, 0o644); err != nil {
		return err
	}
	for _, name := range dram.Traces() {
		want, err := read(name)
		if err != nil {
			return err
		}
		got, err := dram.BuiltinTrace(name)
		if err != nil {
			return err
		}
		for i, q := range want.Requests {
			if i >= len(got.Requests) || got.Requests[i] != q {
				return fmt.Errorf("%s: request %d is %+v in the archive; trace.go makes another (build again after the data changed)", name, i, q)
			}
		}
	}
	return nil
}
