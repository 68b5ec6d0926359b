package arena

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"
	"time"
)

// journalFormat is part of every identity: raise it when rows change their
// meaning, and all runs are made again.
const journalFormat = 1

// A journal is a file with one JSON line a run, written in one piece as the run
// ends, so that no run is lost when the process is killed. The disk is told to
// keep it a few times a second: what a loss of power costs is made again. A line
// that is only half there is cut off.
type journal struct {
	mu     sync.Mutex
	file   *os.File
	synced time.Time
}

const syncEvery = 250 * time.Millisecond

// ReadJournal returns the rows of a journal by identity; of several with one
// identity the last. A file that does not exist has none. A last line that is
// not complete is no row.
func ReadJournal(path string) (map[string]*Row, error) {
	rows, _, err := readJournal(path)
	return rows, err
}

// readJournal also returns where the last complete line ends.
func readJournal(path string) (rows map[string]*Row, end int64, err error) {
	rows = map[string]*Row{}
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return rows, 0, nil
	}
	if err != nil {
		return nil, 0, err
	}
	defer f.Close()
	in := bufio.NewReaderSize(f, 1<<16)
	for line := 1; ; line++ {
		text, err := in.ReadBytes('\n')
		if err == io.EOF {
			return rows, end, nil
		}
		if err != nil {
			return nil, 0, fmt.Errorf("%s: %w", path, err)
		}
		end += int64(len(text))
		if text = bytes.TrimSpace(text); len(text) == 0 {
			continue
		}
		r := new(Row)
		if err := json.Unmarshal(text, r); err != nil || r.ID == "" {
			return nil, 0, fmt.Errorf("%s:%d: not a run of an arena; expected a line of JSON that an arena wrote. Name another journal or move this file away", path, line)
		}
		rows[r.ID] = r
	}
}

// openJournal reads a journal and opens it for more.
func openJournal(path string) (*journal, map[string]*Row, error) {
	rows, end, err := readJournal(path)
	if err != nil {
		return nil, nil, err
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o666)
	if err != nil {
		return nil, nil, err
	}
	if err := f.Truncate(end); err != nil {
		f.Close()
		return nil, nil, err
	}
	if _, err := f.Seek(end, io.SeekStart); err != nil {
		f.Close()
		return nil, nil, err
	}
	return &journal{file: f}, rows, nil
}

// add appends a row.
func (j *journal) add(r *Row) error {
	text, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("arena: a run of %s on %s: %w", r.Searcher, r.Problem, err)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if _, err := j.file.Write(append(text, '\n')); err != nil {
		return err
	}
	if now := time.Now(); now.Sub(j.synced) >= syncEvery {
		j.synced = now
		return j.file.Sync()
	}
	return nil
}

func (j *journal) close() error { return errors.Join(j.file.Sync(), j.file.Close()) }
