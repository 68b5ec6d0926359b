package dram

import (
	"errors"
	"fmt"
	"math/bits"
	"slices"
)

// An AddressMap says which bits of an address are which part of a place in the
// memory, least significant first, in the words of DRAMSys' CONGEN files. Every
// bit below the highest occurs once.
type AddressMap struct {
	Byte, Column, Bank, BankGroup, Row, Rank []int
	XOR                                      [][2]int // in this order, the first bit becomes first xor second
}

// ReadAddressMap reads a CONGEN file. name is what errors call the text.
func ReadAddressMap(name string, text []byte) (AddressMap, error) {
	var doc struct {
		C *struct {
			Byte      []int `json:"BYTE_BIT"`
			Column    []int `json:"COLUMN_BIT"`
			Bank      []int `json:"BANK_BIT"`
			BankGroup []int `json:"BANKGROUP_BIT"`
			Row       []int `json:"ROW_BIT"`
			Rank      []int `json:"RANK_BIT"`
			Channel   []int `json:"CHANNEL_BIT"`
			XOR       []struct {
				First  int `json:"FIRST"`
				Second int `json:"SECOND"`
			} `json:"XOR"`
		} `json:"CONGEN"`
	}
	if err := decodeJSON(name, text, &doc); err != nil {
		return AddressMap{}, err
	}
	if doc.C == nil {
		return AddressMap{}, fmt.Errorf("%s: found no CONGEN, want an address map of DRAMSys", name)
	}
	if len(doc.C.Channel) > 0 {
		return AddressMap{}, fmt.Errorf("%s: CHANNEL_BIT: found %v, want none: simulate each channel with its own part of the trace", name, doc.C.Channel)
	}
	m := AddressMap{Byte: doc.C.Byte, Column: doc.C.Column, Bank: doc.C.Bank, BankGroup: doc.C.BankGroup, Row: doc.C.Row, Rank: doc.C.Rank}
	for _, x := range doc.C.XOR {
		m.XOR = append(m.XOR, [2]int{x.First, x.Second})
	}
	if err := m.Validate(); err != nil {
		return AddressMap{}, fmt.Errorf("%s: %w", name, err)
	}
	return m, nil
}

// part is one field of an address map.
type part struct {
	name string
	bits []int
}

func (m *AddressMap) parts() []part {
	return []part{{"BYTE_BIT", m.Byte}, {"COLUMN_BIT", m.Column}, {"BANK_BIT", m.Bank}, {"BANKGROUP_BIT", m.BankGroup}, {"ROW_BIT", m.Row}, {"RANK_BIT", m.Rank}}
}

// Bits returns how many bits of an address are mapped.
func (m *AddressMap) Bits() int {
	n := 0
	for _, p := range m.parts() {
		n += len(p.bits)
	}
	return n
}

// Validate reports whether every bit has exactly one use.
func (m *AddressMap) Validate() error {
	n := m.Bits()
	if n < 1 || n > 62 {
		return fmt.Errorf("the map has %d bits, want 1 to 62", n)
	}
	use := make([]string, n)
	for _, p := range m.parts() {
		for _, b := range p.bits {
			switch {
			case b < 0 || b >= n:
				return fmt.Errorf("%s: found bit %d, want 0 to %d: the %d bits of the map must be the lowest of an address", p.name, b, n-1, n)
			case use[b] != "":
				return fmt.Errorf("%s: bit %d is in %s too, want every bit once", p.name, b, use[b])
			}
			use[b] = p.name
		}
	}
	for _, x := range m.XOR {
		for _, b := range x {
			if b < 0 || b >= n {
				return fmt.Errorf("XOR: found bit %d, want 0 to %d", b, n-1)
			}
		}
	}
	return nil
}

// fits reports where a map and a memory disagree.
func (m *AddressMap) fits(s *Spec) error {
	var errs []error
	for _, x := range []struct {
		name string
		bits []int
		want int
		what string
	}{
		{"RANK_BIT", m.Rank, s.Ranks, "nbrOfRanks"},
		{"BANKGROUP_BIT", m.BankGroup, s.BankGroups, "nbrOfBankGroups"},
		{"BANK_BIT", m.Bank, s.Banks / s.BankGroups, "banks of a group"},
		{"ROW_BIT", m.Row, s.Rows, "nbrOfRows"},
		{"COLUMN_BIT", m.Column, s.Columns, "nbrOfColumns"},
		{"BYTE_BIT", m.Byte, s.WidthBits * s.Devices / 8, "bytes of a beat"},
	} {
		if want := bits.TrailingZeros(uint(x.want)); len(x.bits) != want {
			errs = append(errs, fmt.Errorf("address map: %s: found %d bits, want %d for %d %s", x.name, len(x.bits), want, x.want, x.what))
		}
	}
	return errors.Join(errs...)
}

// decoder is a map prepared for many addresses.
type decoder struct {
	limit uint64
	xor   [][2]int
	bank  []int // of the number of a bank in all ranks, least significant first
	row   []int
}

func newDecoder(m *AddressMap) decoder {
	return decoder{limit: 1 << m.Bits(), xor: m.XOR, bank: slices.Concat(m.Bank, m.BankGroup, m.Rank), row: m.Row}
}

func (d *decoder) decode(address uint64) (bank, row uint32) {
	for _, x := range d.xor {
		address ^= address >> x[1] & 1 << x[0]
	}
	return gather(address, d.bank), gather(address, d.row)
}

func gather(address uint64, bits []int) uint32 {
	var v uint32
	for i, b := range bits {
		v |= uint32(address>>b&1) << i
	}
	return v
}

// Encode returns the address of a burst: bank counts through all ranks.
func (m *AddressMap) Encode(bank, row, column uint32) uint64 {
	var a uint64
	scatter := func(v uint32, bits []int) {
		for i, b := range bits {
			a |= uint64(v>>i&1) << b
		}
	}
	scatter(bank, slices.Concat(m.Bank, m.BankGroup, m.Rank))
	scatter(row, m.Row)
	scatter(column, m.Column)
	for _, x := range slices.Backward(m.XOR) {
		a ^= a >> x[1] & 1 << x[0]
	}
	return a
}

// A Memory is a specification with an address map that fits it, ready to load
// traces.
type Memory struct {
	Spec Spec
	Map  AddressMap
	t    timing
	dec  decoder
}

// NewMemory puts a memory together.
func NewMemory(s Spec, m AddressMap) (*Memory, error) {
	if err := errors.Join(s.Validate(), m.Validate()); err != nil {
		return nil, fmt.Errorf("dram: memory %s:\n%w", s.Name, err)
	}
	if err := m.fits(&s); err != nil {
		return nil, fmt.Errorf("dram: memory %s:\n%w", s.Name, err)
	}
	return &Memory{Spec: s, Map: m, t: newTiming(&s), dec: newDecoder(&m)}, nil
}
