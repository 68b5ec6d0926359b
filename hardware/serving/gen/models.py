"""Writes models.jsonl, the models that GenZ-LLM-Analyzer (PyPI genz-llm 0.0.16)
can evaluate, one a line. Those with layers of several kinds (Jamba) it cannot.

    pip install genz-llm==0.0.16
    python gen/models.py > models.jsonl
"""
import json, re, pathlib, inspect
import GenZ.Models.Model_sets as sets
from GenZ.Models.default_models import ModelConfig
import importlib
root = pathlib.Path(list(sets.__path__)[0])
out = []
seen = set()
for f in sorted(root.glob('*.py')):
    mod = importlib.import_module('GenZ.Models.Model_sets.' + f.stem)
    text = f.read_text().splitlines()
    url = {}
    last = ''
    for line in text:
        m = re.match(r'#+\s*(https://\S+)', line)
        if m: last = m.group(1)
        m = re.match(r'(\w+)\s*=\s*ModelConfig\(', line)
        if m:
            url[m.group(1)] = last
            last = ''
    names = {}
    d = getattr(mod, f.stem + '_models')
    for k, v in d.items():
        names.setdefault(id(v), []).append(k)
    for var, u in url.items():
        c = getattr(mod, var)
        if id(c) in seen: continue
        seen.add(id(c))
        e = dict(name=c.model, aliases=sorted({n for n in names.get(id(c), []) if n.lower() != c.model.lower()}), source=u or 'GenZ-LLM-Analyzer (no source given there)',
                 hidden=c.hidden_size, layers=c.num_decoder_layers, heads=c.num_attention_heads, kv_heads=c.num_key_value_heads,
                 head_dim=c.head_dim, ffn=int(c.intermediate_size), gates=c.num_ffi, vocab=c.vocab_size, context=c.max_model_len)
        assert e['ffn'] == c.intermediate_size
        if c.num_experts > 1:
            e.update(experts=c.num_experts, top_k=c.expert_top_k)
        if c.is_mamba:
            e.update(mamba_state=c.mamba_d_state, mamba_conv=c.mamba_d_conv, mamba_expand=c.mamba_expand, mamba_rank=c.mamba_dt_rank)
        if c.unique_layers == 1: out.append(e)
for e in out: print(json.dumps(e))
