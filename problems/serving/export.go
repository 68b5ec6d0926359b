package serving

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	sim "github.com/daedalus-search/daedalus/hardware/serving"
	"github.com/daedalus-search/daedalus/metric"
	"github.com/daedalus-search/daedalus/space"
)

// Formats returns "json" and "vllm".
func (p *Problem) Formats() []string { return []string{"json", "vllm"} }

// Export writes a design as JSON with all that was simulated, or as a shell
// script that starts vLLM in the same way.
func (p *Problem) Export(w io.Writer, d space.Design, format string) error {
	c, err := p.Choice(d)
	if err != nil {
		return err
	}
	switch format {
	case "vllm":
		_, err := io.WriteString(w, p.vllm(c))
		return err
	case "json":
	default:
		return unknown("export format", format, p.Formats())
	}
	x, price := p.platform(&c)
	out := struct {
		Model    sim.Model     `json:"model"`
		Platform sim.Platform  `json:"platform"`
		Price    float64       `json:"usd_hour_accelerator"`
		Choice   Choice        `json:"choice"`
		Replicas int           `json:"replicas"`
		Reason   string        `json:"infeasible,omitempty"`
		Values   metric.Values `json:"values,omitempty"`
	}{p.model, x, price, c, c.replicas(), "", nil}
	if r, err := p.run(c, len(p.requests)); err != nil {
		out.Reason = strings.TrimPrefix(err.Error(), "infeasible: ")
	} else {
		out.Values = p.values(c, r)
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(out)
}

// vllm writes the command by the names that vLLM's engine arguments have
// (docs.vllm.ai, "Engine Arguments", 0.8 and later).
func (p *Problem) vllm(c Choice) string {
	var b strings.Builder
	b.WriteString("#!/bin/sh\n")
	note := func(format string, args ...any) { fmt.Fprintf(&b, "# "+format+"\n", args...) }
	note("%s on %d × %s, as simulated for %d requests.", oneLine(p.model.Name), c.Accelerators, c.Platform, len(p.requests))
	if _, err := p.run(c, 1); err != nil {
		note("It was not: %s.", strings.TrimPrefix(err.Error(), "infeasible: "))
	}
	if n := c.replicas(); n > 1 {
		note("Start %d of these, on accelerators of their own, behind a load balancer that takes turns.", n)
	}
	args := []string{fmt.Sprintf("--tensor-parallel-size %d", c.TP*c.EP), fmt.Sprintf("--pipeline-parallel-size %d", c.PP)}
	if c.EP > 1 {
		args = append(args, "--enable-expert-parallel")
		if c.TP > 1 {
			note("vLLM spreads experts over all %d accelerators of a stage, not over %d groups of %d.", c.TP*c.EP, c.EP, c.TP)
		}
	}
	f := p.formats[c.Precision]
	switch {
	case f == sim.Uniform(sim.FP8):
		args = append(args, "--quantization fp8")
	case f.Weights == sim.F32:
		args = append(args, "--dtype float32")
	case f.Weights != sim.BF16:
		note("The checkpoint must be one in %s; vLLM finds its quantisation by itself.", c.Precision)
	default:
		args = append(args, "--dtype bfloat16")
	}
	switch c.KV {
	case "fp8":
		args = append(args, "--kv-cache-dtype fp8")
	case "bf16", "fp16", "f32":
		args = append(args, "--kv-cache-dtype auto")
	default:
		note("vLLM keeps keys and values in 8 bits or more; this design has %s.", c.KV)
		args = append(args, "--kv-cache-dtype fp8")
	}
	args = append(args, fmt.Sprintf("--max-num-seqs %d", c.MaxBatch), fmt.Sprintf("--max-model-len %d", p.longest),
		fmt.Sprintf("--gpu-memory-utilization %g", p.options.MemoryShare), "--block-size 16")
	if c.Chunk > 0 {
		args = append(args, "--enable-chunked-prefill", fmt.Sprintf("--max-num-batched-tokens %d", c.Chunk))
	} else {
		args = append(args, "--no-enable-chunked-prefill", fmt.Sprintf("--max-num-batched-tokens %d", max(8192, p.longest)))
	}
	if c.Memory == "reserve" {
		note("vLLM takes memory as answers grow and cannot reserve it; this design does.")
	}
	fmt.Fprintf(&b, "exec vllm serve %s", shell(p.checkpoint()))
	for _, a := range args {
		b.WriteString(" \\\n  " + a)
	}
	b.WriteString("\n")
	return b.String()
}

// checkpoint is what the model is called where vLLM finds it: the repository
// that its numbers are from, if they are, or its name.
func (p *Problem) checkpoint() string {
	if rest, ok := strings.CutPrefix(p.model.Source, "https://huggingface.co/"); ok {
		if parts := strings.Split(rest, "/"); len(parts) > 1 {
			return parts[0] + "/" + parts[1]
		}
	}
	return p.model.Name
}

// oneLine keeps a name inside a comment.
func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// shell quotes a word if it must be.
func shell(s string) string {
	if s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./") == "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
