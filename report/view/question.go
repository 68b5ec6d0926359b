package view

import (
	"fmt"
	"strings"

	"github.com/daedalus-search/daedalus/metric"
)

// question says in one sentence what was asked.
func (b *builder) question() string {
	var s strings.Builder
	switch designs := b.view.Study.Designs; designs {
	case "":
		s.WriteString("Among the designs of the space")
	case "infinite":
		s.WriteString("Among infinitely many designs")
	case "1":
		s.WriteString("Of the one design")
	default:
		fmt.Fprintf(&s, "Among %s designs", designs)
	}
	var asks []string
	for _, o := range b.src.Goal.Objectives {
		unit := b.unit(o.Metric)
		if unit != "" {
			unit = " (" + unit + ")"
		}
		switch {
		case o.Target != nil:
			asks = append(asks, fmt.Sprintf("%s%s nearest to %v", o.Metric, unit, *o.Target))
		case o.Direction == metric.Maximize:
			asks = append(asks, fmt.Sprintf("the most %s%s", o.Metric, unit))
		default:
			asks = append(asks, fmt.Sprintf("the least %s%s", o.Metric, unit))
		}
	}
	switch len(asks) {
	case 0:
		s.WriteString(", what can be measured?")
		return s.String()
	case 1:
		s.WriteString(", which has " + asks[0])
	default:
		s.WriteString(", which compromise best between " + and(asks))
	}
	var hard, soft []string
	for _, l := range b.src.Goal.Limits {
		if l.Soft != 0 {
			soft = append(soft, b.limit(l))
		} else {
			hard = append(hard, b.limit(l))
		}
	}
	if len(hard) > 0 {
		s.WriteString(", keeping " + and(hard))
	}
	if len(soft) > 0 {
		s.WriteString(", if possible with " + and(soft))
	}
	s.WriteString("?")
	return s.String()
}

// limit writes a limit for people: "params_m ≤ 1 M".
func (b *builder) limit(l metric.Limit) string {
	return strings.TrimSpace(fmt.Sprintf("%s %s %v %s", l.Metric, symbol(l.Op), l.Bound, b.unit(l.Metric)))
}

// objective names an objective by its number; a study made by a program may not
// say what its losses are.
func (b *builder) objective(k int) string {
	if k < len(b.src.Goal.Objectives) {
		return b.src.Goal.Objectives[k].Metric
	}
	return fmt.Sprintf("objective %d", k+1)
}

// better says which end of a metric is wanted, "" if neither is.
func better(d metric.Direction) string {
	switch d {
	case metric.Minimize:
		return "low"
	case metric.Maximize:
		return "high"
	}
	return ""
}

// symbol writes a comparison for people.
func symbol(op metric.Op) string {
	switch op {
	case metric.LessEqual:
		return "≤"
	case metric.GreaterEqual:
		return "≥"
	case metric.Equal:
		return "="
	}
	return op.String()
}

// unit returns the unit of a metric.
func (b *builder) unit(name string) string {
	for _, m := range b.metrics {
		if m.Name == name {
			return m.Unit
		}
	}
	return ""
}

// and joins words as people do.
func and(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	n := len(words) - 1
	return strings.Join(words[:n], ", ") + " and " + words[n]
}
