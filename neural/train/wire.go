package train

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
)

// A Message is what goes between a program and its worker: something as JSON, and
// bytes beside it that would be large as JSON.
type Message struct {
	Body  json.RawMessage
	Blobs [][]byte
}

// Pack makes a message.
func Pack(body any, blobs ...[]byte) (Message, error) {
	text, err := json.Marshal(body)
	if err != nil {
		return Message{}, fmt.Errorf("train: message: %w", err)
	}
	return Message{Body: text, Blobs: blobs}, nil
}

// Unpack reads the body of a message.
func (m Message) Unpack(into any) error {
	if len(m.Body) == 0 {
		return errors.New("train: message: found nothing in it")
	}
	if err := json.Unmarshal(m.Body, into); err != nil {
		return fmt.Errorf("train: message: %w", err)
	}
	return nil
}

// Frames, little-endian:
//
//	"DDWF"    magic
//	uint32    length of the envelope
//	uint32    number of blobs
//	uint64…   their lengths
//	envelope  JSON
//	blobs
//	uint32    CRC-32C of everything before
const (
	frameMagic  = "DDWF"
	maxEnvelope = 256 << 20
	maxBlobs    = 1 << 12
	maxBlob     = 16 << 30
)

// The kinds of frames.
const (
	frameHello  = "hello"  // the worker is ready
	frameCall   = "call"   // do this
	frameCancel = "cancel" // stop what you do
	frameBye    = "bye"    // nothing more will come
	frameEvent  = "event"  // what the call has to tell
	frameAlive  = "alive"  // the call goes on, says its handler
	framePulse  = "pulse"  // the process lives, whatever the handler does
	frameReply  = "reply"  // what the call returned
	frameError  = "error"  // that it failed
)

// An envelope is the JSON of a frame.
type envelope struct {
	Kind string          `json:"kind"`
	Call int64           `json:"call,omitempty"` // its number
	Name string          `json:"name,omitempty"` // of the handler
	Body json.RawMessage `json:"body,omitempty"`

	blobs [][]byte
}

func (e envelope) message() Message { return Message{e.Body, e.blobs} }

// writeFrame writes a frame in one piece, unless it has blobs.
func writeFrame(w io.Writer, e envelope) error {
	text, err := json.Marshal(e)
	if err != nil {
		return err
	}
	if len(text) > maxEnvelope || len(e.blobs) > maxBlobs {
		return fmt.Errorf("found a message of %d bytes of JSON and %d blobs, want at most %d and %d", len(text), len(e.blobs), maxEnvelope, maxBlobs)
	}
	b := make([]byte, 0, len(frameMagic)+8+8*len(e.blobs)+len(text)+4)
	b = append(b, frameMagic...)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(text)))
	b = binary.LittleEndian.AppendUint32(b, uint32(len(e.blobs)))
	for _, blob := range e.blobs {
		b = binary.LittleEndian.AppendUint64(b, uint64(len(blob)))
	}
	b = append(b, text...)
	sum := crc32.Checksum(b, castagnoli)
	for _, blob := range e.blobs {
		sum = crc32.Update(sum, castagnoli, blob)
	}
	if len(e.blobs) == 0 {
		_, err = w.Write(binary.LittleEndian.AppendUint32(b, sum))
		return err
	}
	if _, err := w.Write(b); err != nil {
		return err
	}
	for _, blob := range e.blobs {
		if _, err := w.Write(blob); err != nil {
			return err
		}
	}
	_, err = w.Write(binary.LittleEndian.AppendUint32(nil, sum))
	return err
}

// readFrame reads a frame. The end before a frame is [io.EOF]; anything else that is
// not a frame is an error that says what was found.
func readFrame(r io.Reader) (envelope, error) {
	var e envelope
	start := make([]byte, len(frameMagic)+8)
	if n, err := io.ReadFull(r, start); err != nil {
		if n > 0 {
			err = fmt.Errorf("found %q, want a whole frame: %w", start[:n], io.ErrUnexpectedEOF)
		}
		return e, err
	}
	if string(start[:len(frameMagic)]) != frameMagic {
		return e, fmt.Errorf("found %q, want a frame, which starts with %q", start, frameMagic)
	}
	sum := crc32.New(castagnoli)
	_, _ = sum.Write(start)
	size, blobs := binary.LittleEndian.Uint32(start[len(frameMagic):]), binary.LittleEndian.Uint32(start[len(frameMagic)+4:])
	if size > maxEnvelope || blobs > maxBlobs {
		return e, fmt.Errorf("found a frame of %d bytes of JSON and %d blobs, want at most %d and %d", size, blobs, maxEnvelope, maxBlobs)
	}
	all := io.TeeReader(r, sum)
	lengths, err := readExactly(all, 8*uint64(blobs))
	if err != nil {
		return e, err
	}
	text, err := readExactly(all, uint64(size))
	if err != nil {
		return e, err
	}
	for k := range blobs {
		n := binary.LittleEndian.Uint64(lengths[8*k:])
		if n > maxBlob {
			return e, fmt.Errorf("found a blob of %d bytes in a frame, want at most %d", n, int64(maxBlob))
		}
		blob, err := readExactly(all, n)
		if err != nil {
			return e, err
		}
		e.blobs = append(e.blobs, blob)
	}
	var end [4]byte
	if _, err := io.ReadFull(r, end[:]); err != nil {
		return e, fmt.Errorf("found the end inside a frame: %w", noEOF(err))
	}
	if found, want := binary.LittleEndian.Uint32(end[:]), sum.Sum32(); found != want {
		return e, fmt.Errorf("found the checksum %08x at the end of a frame, want %08x", found, want)
	}
	if err := json.Unmarshal(text, &e); err != nil {
		return e, fmt.Errorf("frame: %w", err)
	}
	return e, nil
}

// readExactly reads n bytes, without taking much more memory than there are bytes.
func readExactly(r io.Reader, n uint64) ([]byte, error) {
	b := make([]byte, 0, min(n, 1<<20))
	for uint64(len(b)) < n {
		if len(b) == cap(b) {
			b = append(b, 0)[:len(b)]
		}
		room := b[len(b):min(uint64(cap(b)), n)]
		k, err := r.Read(room)
		b = b[:len(b)+k]
		if err != nil && uint64(len(b)) < n {
			return nil, fmt.Errorf("found the end inside a frame: %w", noEOF(err))
		}
	}
	return b, nil
}

func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
