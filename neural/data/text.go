package data

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"unicode/utf8"
)

// maxText is the most bytes of a text.
const maxText = 1 << 30

// tokenise makes tokens of texts that share a vocabulary: of characters, those that
// occur, in the order of Unicode; of bytes, all 256. Names are for errors. A mark of the
// byte order is no character.
func tokenise(bytesOnly bool, names []string, texts ...[]byte) (tokens [][]uint16, vocabulary []string, err error) {
	tokens = make([][]uint16, len(texts))
	if bytesOnly {
		for i := range 256 {
			vocabulary = append(vocabulary, strconv.QuoteToASCII(string([]byte{byte(i)})))
		}
		for k, text := range texts {
			tokens[k] = make([]uint16, len(text))
			for i, b := range text {
				tokens[k][i] = uint16(b)
			}
		}
		return tokens, vocabulary, nil
	}
	used := map[rune]uint16{}
	var order []rune
	for k, text := range texts {
		if i := invalid(text); i >= 0 {
			return nil, nil, fileError(names[k], fmt.Sprintf("byte %d", i), fmt.Errorf("found % x, want text in UTF-8; or the setting tokens: bytes", text[i:min(len(text), i+4)]))
		}
		text = bytes.TrimPrefix(text, []byte(byteOrderMark))
		texts[k] = text
		for _, r := range string(text) {
			if _, ok := used[r]; !ok {
				used[r] = 0
				order = append(order, r)
			}
		}
	}
	if len(order) > math.MaxUint16+1 {
		return nil, nil, fileError(names[0], "", fmt.Errorf("found %d different characters, want at most %d; or the setting tokens: bytes", len(order), math.MaxUint16+1))
	}
	if len(order) < 2 {
		return nil, nil, fileError(names[0], "", errors.New("found fewer than two different characters, want a text"))
	}
	slices.Sort(order)
	for i, r := range order {
		used[r] = uint16(i)
		vocabulary = append(vocabulary, string(r))
	}
	for k, text := range texts {
		tokens[k] = make([]uint16, 0, utf8.RuneCount(text))
		for _, r := range string(text) {
			tokens[k] = append(tokens[k], used[r])
		}
	}
	return tokens, vocabulary, nil
}

// openText reads a text, or texts for the training, validation and test parts of which
// all but the first may be absent.
func openText(paths [3]string, bytesOnly bool, window int) (parts [3]*Set, err error) {
	var texts [][]byte
	var names []string
	for _, path := range paths {
		if path == "" {
			continue
		}
		text, err := whole(path, maxText)
		if err != nil {
			return parts, err
		}
		if len(text) == 0 {
			return parts, fileError(path, "", errors.New("found an empty file, want a text"))
		}
		texts, names = append(texts, text), append(names, path)
	}
	tokens, vocabulary, err := tokenise(bytesOnly, names, texts...)
	if err != nil {
		return parts, err
	}
	n := 0
	for k, path := range paths {
		if path == "" {
			continue
		}
		if parts[k], err = NewText(tableName(paths[0]), window, tokens[n], vocabulary); err != nil {
			return parts, fileError(path, "", err)
		}
		n++
	}
	return parts, nil
}
