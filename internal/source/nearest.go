package source

import "strings"

// Nearest returns the known word a person most likely meant by a misspelt one,
// and whether there is one near enough to be worth suggesting.
//
// Distance is the number of insertions, deletions, substitutions and swaps of
// neighbours (the restricted Damerau-Levenshtein distance), after letter case
// and the choice between "-", "_" and space are set aside. One mistake is
// forgiven in words of up to five letters, two up to nine, three beyond. A
// prefix of three letters or more that only one known word has is near too.
// Among equals the first known word wins.
func Nearest(word string, known []string) (string, bool) {
	const longest = 64 // a longer word is no misspelling of a key
	if word == "" || len(word) > 4*longest {
		return "", false
	}
	w := fold(word)
	best, at := -1, -1
	for i, k := range known {
		f := fold(k)
		if len(f) > longest || len(w) > longest {
			continue
		}
		limit := 1
		if n := max(len(w), len(f)); n > 9 {
			limit = 3
		} else if n > 5 {
			limit = 2
		}
		if d := len(w) - len(f); d > limit || -d > limit {
			continue
		}
		d := distance(w, f)
		if d > limit || 2*d >= max(len(w), len(f)) {
			continue
		}
		if best < 0 || d < best {
			best, at = d, i
		}
	}
	if at >= 0 {
		return known[at], true
	}
	if len(w) >= 3 {
		for i, k := range known {
			if strings.HasPrefix(string(fold(k)), string(w)) {
				if at >= 0 {
					return "", false
				}
				at = i
			}
		}
	}
	if at >= 0 {
		return known[at], true
	}
	return "", false
}

func fold(s string) []rune {
	return []rune(strings.Map(func(c rune) rune {
		if c == '-' || c == ' ' {
			return '_'
		}
		return c
	}, strings.ToLower(s)))
}

// distance is the restricted Damerau-Levenshtein distance ("optimal string
// alignment"), by the usual three-row dynamic programme.
func distance(a, b []rune) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			d := min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				d = min(d, before[j-2]+1)
			}
			row[j] = d
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}
