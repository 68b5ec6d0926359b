"""Reference values of GenZ-LLM-Analyzer for the tests of hardware/serving.

    pip install genz-llm==0.0.16
    python golden.py 800 > golden.jsonl && gzip -9n golden.jsonl

Writes one evaluation a line at full precision: the configurations of the
recorded 67, and random ones over every model, platform, precision and
parallelism that the program accepts.
"""
import glob, json, os, random, sys, warnings
warnings.filterwarnings('ignore')
from GenZ.LLM_inference import prefill_moddeling, decode_moddeling
from GenZ.LLM_inference.llm_chunked import chunked_moddeling
from GenZ.Models.default_models import MODEL_DICT
from GenZ.Models.get_language_model import DATA_PATH
from Systems.system_configs import system_configs

DATA = os.path.join(DATA_PATH, 'model')  # where the program leaves a file for every evaluation

def run(c):
    common = dict(model=c['model'], system_name=c['platform'], system_eff=c.get('eff', 1), bits=c['bits'],
                  tensor_parallel=c['tp'], pipeline_parallel=c['pp'], expert_parallel=c['ep'], model_offload=c.get('offload', False))
    if c['phase'] == 'prefill':
        o = prefill_moddeling(batch_size=c['batch'], input_tokens=c['input'], **common)
    elif c['phase'] == 'decode':
        o = decode_moddeling(batch_size=c['batch'], Bb=c['beams'], input_tokens=c['input'], output_tokens=c['output'], **common)
    else:
        o = chunked_moddeling(prefill_kv_sizes=[tuple(x) for x in c['prefill']], decode_kv_sizes=c['decode'], **common)
    t = o['summary_table'].iloc[0]
    b = {k: float(v) for k, v in o['Runtime_breakdown'].to_dict().items() if v}
    return dict(latency_ms=float(o['Latency']), throughput=float(o['Throughput']), offloaded=bool(o['is_offload']), breakdown=b,
                weights_mb=float(t['Total Weights (MB)']), unused_mb=float(t['Unused Weights (MB)']), kv_mb=float(t['KV Cache (MB)']),
                mflop=float(t['MACs (MFLOP)']), data_mb=float(t['Total Data (MB)']), attention_ms=float(t['Attn Latency (msec)']),
                linear_ms=float(t['Linear Latency (msec)']), comm_ms=float(t['Comm Latency (msec)']))

def emit(c):
    try:
        r = run(c)
    except ValueError as e:
        m = str(e)
        if not m.startswith('All params would not fit'):
            return False
        r = dict(unfit=m.split('\n')[0])
    except Exception as e:
        print(repr(e), c, file=sys.stderr)
        return False
    print(json.dumps({**c, 'want': r}, separators=(',', ':')), flush=True)
    for f in glob.glob(DATA + '/*'): os.remove(f)
    return True

recorded = ['meta-llama/Llama-2-7B', 'meta-llama/Llama-3.1-8B', 'meta-llama/Llama-3.1-70B', 'mistralai/Mixtral-8x7B']
n = 0
for m in recorded:
    for p, tps in (('A100_80GB_GPU', [1]), ('H100_GPU', [1, 4, 8]), ('MI300X', [2]), ('TPUv5p', [8])):
        for tp in tps:
            for bits in ('bf16', 'int8'):
                for ph in ('prefill', 'decode'):
                    c = dict(phase=ph, model=m, platform=p, tp=tp, pp=1, ep=1, bits=bits, input=2048)
                    c.update(dict(batch=4) if ph == 'prefill' else dict(batch=16, beams=1, output=256))
                    n += emit(c)

r = random.Random(5)
models = sorted({c.model for c in MODEL_DICT.models.values() if c.unique_layers == 1})
tally = {}
tries = 0
quota = int(sys.argv[1]) if len(sys.argv) > 1 else 700
while sum(tally.values()) < quota and tries < 6 * quota:
    m = models[tries % len(models)]
    tries += 1
    cfg = MODEL_DICT.get_model(m)
    dense = cfg.ffn_implementation == 'default'  # chunks of the others use another width of experts than prefill and decoding do
    c = dict(phase=r.choice(['prefill', 'decode', 'decode', 'chunked'] if dense and not cfg.is_mamba else ['prefill', 'decode']), model=m,
             platform=r.choice(sorted(system_configs)), tp=r.choice([1, 1, 2, 3, 4, 8, 16, 64]), pp=r.choice([1, 1, 1, 2, 3, 4, 8]),
             ep=r.choice([e for e in (1, 1, 2, 4, 8) if cfg.num_experts % e == 0]),
             bits=r.choice(['bf16', 'bf16', 'int8', 'fp8', 'int4', 'fp4', 'int2', 'fp6', 'f32']))
    if r.random() < .3: c['eff'] = r.choice([0.5, 0.8, 0.73])
    if r.random() < .5: c['offload'] = True
    if c['phase'] == 'prefill':
        c.update(batch=r.choice([1, 2, 3, 7, 16, 64]), input=r.choice([1, 17, 128, 1000, 2048, 32768]))
    elif c['phase'] == 'decode':
        c.update(batch=r.choice([1, 2, 3, 7, 16, 64, 256]), beams=r.choice([1, 1, 4]), input=r.choice([1, 17, 128, 1000, 2048, 32768]), output=r.choice([0, 1, 32, 256, 1000]))
    else:
        c.update(prefill=[[r.choice([0, 0, 512]), r.choice([1, 64, 511, 2048])] for _ in range(r.choice([0, 1, 1, 2]))],
                 decode=[r.randrange(1, 4000) for _ in range(r.choice([1, 3, 9]))])
    if emit(c):
        tally[c['phase']] = tally.get(c['phase'], 0) + 1
print(n, tally, tries, file=sys.stderr)
