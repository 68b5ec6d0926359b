package serving

import (
	"github.com/daedalus-search/daedalus/internal/source"
)

// gates says of the families that [ReadModel] knows how many matrices their up
// projection has. Sliding windows of some are not modelled.
var gates = map[string]int{
	"llama": 2, "mistral": 2, "mixtral": 2, "qwen2": 2, "qwen2_moe": 2, "qwen3": 2, "qwen3_moe": 2,
	"gemma": 2, "gemma2": 2, "gemma3_text": 2, "phi3": 2, "granite": 2, "olmo2": 2,
	"opt": 1, "gpt2": 1, "gpt_neox": 1, "nemotron": 1,
}

// fromHub reads the config.json of a model in the form of Hugging Face's
// transformers. Keys that say nothing about shapes are passed over.
func fromHub(r *source.Report, root *source.Value) (m Model) {
	kind := ""
	if v := root.Get("model_type"); v != nil {
		kind, _ = v.Str(r)
	}
	n, known := gates[kind]
	if !known {
		at := root
		if v := root.Get("model_type"); v != nil {
			at = v
		}
		r.Errorf(at, "model_type: found %q, a family whose layers are not known here; write the model in the form of serving.Model: hidden, layers, heads, kv_heads, ffn, gates, vocab", kind)
		return m
	}
	if v := root.Get("kv_lora_rank"); v != nil && !v.IsNull() {
		r.Errorf(v, "kv_lora_rank: latent attention is not modelled")
	}
	// get reads the first of the keys that is there.
	get := func(required bool, keys ...string) int {
		for _, k := range keys {
			if v := root.Get(k); v != nil && !v.IsNull() {
				x, _ := v.Int(r, source.AtLeast(0), source.AtMost(1e9))
				return int(x)
			}
		}
		if required {
			r.Errorf(root, "%s: it is missing, and needed", keys[0])
		}
		return 0
	}
	m = Model{
		Name: root.Get("_name_or_path").Text(), Source: root.File(), Gates: n,
		Hidden: get(true, "hidden_size", "n_embd"), Layers: get(true, "num_hidden_layers", "n_layer"), Heads: get(true, "num_attention_heads", "n_head"),
		KVHeads: get(false, "num_key_value_heads"), HeadDim: get(false, "head_dim"), Vocab: get(true, "vocab_size"),
		FFN: get(false, "intermediate_size", "ffn_dim", "n_inner"), Context: get(false, "max_position_embeddings", "n_positions"),
		Experts: get(false, "num_local_experts", "num_experts"), TopK: get(false, "num_experts_per_tok"),
		ExpertFFN: get(false, "moe_intermediate_size"), SharedFFN: get(false, "shared_expert_intermediate_size"),
	}
	if m.FFN == 0 {
		m.FFN = 4 * m.Hidden // what gpt2 means by leaving it out
	}
	return m
}

// hubField is what a field of a model is called in such a file.
func hubField(root *source.Value, field string) string {
	names := map[string][]string{
		"hidden": {"hidden_size", "n_embd"}, "layers": {"num_hidden_layers", "n_layer"}, "heads": {"num_attention_heads", "n_head"},
		"kv_heads": {"num_key_value_heads"}, "ffn": {"intermediate_size", "ffn_dim", "n_inner"}, "vocab": {"vocab_size"}, "top_k": {"num_experts_per_tok"},
		"experts": {"num_local_experts", "num_experts"}, "context": {"max_position_embeddings", "n_positions"}, "expert_ffn": {"moe_intermediate_size"}, "shared_ffn": {"shared_expert_intermediate_size"},
	}
	for _, n := range names[field] {
		if root.Has(n) {
			return n
		}
	}
	return field
}

func readHub(root *source.Value, report *source.Report) (Model, error) {
	m := fromHub(report, root)
	if report.Failed() {
		return Model{}, report.Err()
	}
	err := m.Check()
	if f, ok := err.(*FieldError); ok {
		err = &FieldError{hubField(root, f.Field), f.Found, f.Want}
	}
	return m, located(report, root, err)
}
