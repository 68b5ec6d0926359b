package device

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
)

// A Place is one choice in a network: a layer, or an edge of a cell.
type Place struct {
	Name     string   `json:"name"`
	Settings []string `json:"settings"`
}

// A Space is a set of networks that differ in the settings of some places. A
// network is a setting for each place, counted from 0.
type Space struct {
	name   string
	places []Place
	at     []int // where the settings of each place begin among those of all
	total  int
	layers func(x []uint8) []Layer
}

// Most places and settings of a place that a space may have.
const (
	maxPlaces   = 4096
	maxSettings = 256
)

// NewSpace makes a space. layers returns what a network computes, for rooflines
// and layer tables; it may be nil.
func NewSpace(name string, places []Place, layers func(x []uint8) []Layer) (*Space, error) {
	if name == "" {
		return nil, fmt.Errorf("device: a space without a name; give it one, by which saved models know it")
	}
	if len(places) == 0 || len(places) > maxPlaces {
		return nil, fmt.Errorf("device: space %s: found %d places, want 1 to %d", name, len(places), maxPlaces)
	}
	s := &Space{name: name, layers: layers}
	seen := map[string]bool{}
	for i, p := range places {
		if p.Name == "" || seen[p.Name] {
			return nil, fmt.Errorf("device: space %s: place %d: found the name %q, want one that no other place has", name, i, p.Name)
		}
		if len(p.Settings) == 0 || len(p.Settings) > maxSettings {
			return nil, fmt.Errorf("device: space %s: place %s: found %d settings, want 1 to %d", name, p.Name, len(p.Settings), maxSettings)
		}
		seen[p.Name] = true
		own := map[string]bool{}
		for _, v := range p.Settings {
			if v == "" || own[v] {
				return nil, fmt.Errorf("device: space %s: place %s: found the setting %q, want settings that differ", name, p.Name, v)
			}
			own[v] = true
		}
		s.places = append(s.places, Place{p.Name, append([]string(nil), p.Settings...)})
		s.at = append(s.at, s.total)
		s.total += len(p.Settings)
	}
	return s, nil
}

func mustSpace(name string, places []Place, layers func(x []uint8) []Layer) *Space {
	s, err := NewSpace(name, places, layers)
	if err != nil {
		panic(err)
	}
	return s
}

// Name returns the name of the space.
func (s *Space) Name() string { return s.name }

// Places returns the places, which must not be changed.
func (s *Space) Places() []Place { return s.places }

// Fingerprint identifies the space by its name, its places and their settings,
// in 16 hexadecimal digits.
func (s *Space) Fingerprint() string {
	h := sha256.New()
	fmt.Fprintf(h, "%q", s.name)
	for _, p := range s.places {
		fmt.Fprintf(h, "%q%q", p.Name, p.Settings)
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}

// Check says what is wrong with a network.
func (s *Space) Check(x []uint8) error {
	if len(x) != len(s.places) {
		return fmt.Errorf("device: a network of %d places; %s has %d", len(x), s.name, len(s.places))
	}
	for i, v := range x {
		if int(v) >= len(s.places[i].Settings) {
			return fmt.Errorf("device: %s: place %s: found setting %d, want 0 to %d", s.name, s.places[i].Name, v, len(s.places[i].Settings)-1)
		}
	}
	return nil
}

// Layers returns what a network computes, or nil if the space does not know.
func (s *Space) Layers(x []uint8) []Layer {
	if s.layers == nil {
		return nil
	}
	return s.layers(x)
}

// ParseNetwork reads a network written as one digit a place, or as the names or
// numbers of the settings with spaces between.
func (s *Space) ParseNetwork(text string) ([]uint8, error) {
	words := strings.Fields(text)
	if len(words) == 1 && len(s.places) > 1 {
		if len(text) != len(s.places) {
			return nil, fmt.Errorf("found %q, want %d digits, one for each place of %s", text, len(s.places), s.name)
		}
		words = strings.Split(text, "")
	}
	if len(words) != len(s.places) {
		return nil, fmt.Errorf("found %d settings, want %d, one for each place of %s", len(words), len(s.places), s.name)
	}
	x := make([]uint8, len(words))
	for i, w := range words {
		v, err := s.setting(i, w)
		if err != nil {
			return nil, err
		}
		x[i] = v
	}
	return x, nil
}

// setting finds a setting of a place by its name, else by its number.
func (s *Space) setting(place int, word string) (uint8, error) {
	p := s.places[place]
	for k, v := range p.Settings {
		if v == word {
			return uint8(k), nil
		}
	}
	if n, err := strconv.Atoi(word); err == nil && n >= 0 && n < len(p.Settings) && strconv.Itoa(n) == word {
		return uint8(n), nil
	}
	return 0, fmt.Errorf("place %s: found %q, want one of %s, or its number from 0", p.Name, word, list(p.Settings))
}

// list joins words, the first dozen of them.
func list(words []string) string {
	if len(words) > 12 {
		return strings.Join(words[:12], ", ") + ", …"
	}
	return strings.Join(words, ", ")
}
