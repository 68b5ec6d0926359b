#!/usr/bin/env bash
# One command: the supernet of bench/gpu through XLA on an NVIDIA GPU, in PyTorch eager and
# compiled on the same GPU, and one table.
#
#	bench/gpu/run.sh [flags of the Go program, such as -steps 2000 -batch 256]
#
# Variables:
#	PYTHON   interpreter that has torch and numpy (default python3)
#	PLUGIN   xla_cuda_plugin.so; by default that of the jax-cuda wheel that PYTHON finds
#	OUT      folder for results (default gpu-results in the repository)
#	PRECISE  1: no TF32, on either side
#	CPU      1: the same on this machine's processor, one thread each, by processor time;
#	         PLUGIN may then be a PJRT plugin for processors, and COMPILE=1 adds torch.compile
#
# Paths count from the folder where it is called. It ends with status 0 if all ran, 1 if
# something failed, and 3 if something is missing here.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
python=${PYTHON:-python3}
out=${OUT:-$root/gpu-results}
cpu=${CPU:-}
plugin=${PLUGIN:-}
precise=()
options=""
if [ -n "${PRECISE:-}" ]; then
	precise=(--precise)
	options=",tf32=false"
fi
missing=()
notes=()                          # versions that only this script knows, as NAME=VERSION
around=(env GOPJRT_CUDA_CHECKS=0) # of the XLA program alone; go-xla looks for nvidia/ elsewhere, and would warn
say() { printf '%s\n' "$*" >&2; }

install='In an environment of its own, on a machine with an NVIDIA driver for CUDA 13 (580 or newer):
  python3 -m venv gpu-venv
  gpu-venv/bin/pip install numpy torch "jax-cuda13-plugin[with-cuda]"
  PYTHON=gpu-venv/bin/python bench/gpu/run.sh
An older driver takes the wheels of CUDA 12: torch from its cu12 index, and "jax-cuda12-plugin[with-cuda]".'

# What there is.
command -v go >/dev/null || { say "go is missing: install Go (https://go.dev/dl)"; exit 3; }
go version
if ! command -v "$python" >/dev/null; then
	missing+=("PyTorch: found no interpreter $python (set PYTHON)")
	torch=""
elif torch=$("$python" -c 'import numpy, torch; print(torch.__version__)' 2>&1); then
	torch=${torch##*$'\n'}
	echo "PyTorch $torch ($python)"
else
	missing+=("PyTorch: $python does not import numpy and torch (set PYTHON to one that does): ${torch##*$'\n'}")
	torch=""
fi
version() { # of the newest package in $site whose name is like the pattern
	local all
	all=$(ls -d "$site"/$1-*.dist-info 2>/dev/null | sort -V | tail -1) || true
	all=${all%.dist-info}
	echo "${all##*-}"
}
if [ -z "$cpu" ]; then
	gpu=$(nvidia-smi --query-gpu=name,driver_version --format=csv,noheader 2>/dev/null) || gpu=""
	gpu=${gpu%%$'\n'*}
	if [ -n "$gpu" ]; then
		echo "GPU ${gpu%,*}, driver ${gpu##*, }"
		notes+=("driver=${gpu##*, }")
	else
		missing+=("an NVIDIA GPU: nvidia-smi is not there or finds none")
	fi
	if [ -n "$torch" ]; then
		"$python" -c 'import sys, torch; print("CUDA of PyTorch", torch.version.cuda); sys.exit(not torch.cuda.is_available())' ||
			missing+=("CUDA in PyTorch: torch.cuda.is_available() is false")
	fi
	if [ -z "$plugin" ]; then # it lies in the wheel jax-cuda13-pjrt, or 12
		plugin=$("$python" - 2>/dev/null <<-'END'
			import glob, importlib.util
			spec = importlib.util.find_spec("jax_plugins")
			places = spec.submodule_search_locations if spec else []
			print(max((f for p in places for f in glob.glob(glob.escape(p) + "/xla_cuda1*/xla_cuda_plugin.so")), default=""))
		END
		) || plugin=""
	fi
	if [ -f "$plugin" ]; then
		plugin=$(cd "$(dirname "$plugin")" && pwd)/$(basename "$plugin")
		site=$(dirname "$(dirname "$(dirname "$plugin")")") # its libraries are in nvidia/ there
		jax=$(version 'jax_cuda1?_pjrt')
		echo "plugin $plugin, jax ${jax:-of unknown version}"
		notes+=("jax plugin=${jax:-unknown}")
		# libdevice and ptxas: one folder for CUDA 13, a wheel of their own for 12
		for dir in "$site/nvidia/cu13" "$site/nvidia/cuda_nvcc"; do
			[ -d "$dir" ] && around+=("XLA_FLAGS=${XLA_FLAGS:-} --xla_gpu_cuda_data_dir=$dir") && break
		done
		# the plugin's own search path has them too, where they lie as the wheels put them
		libraries=$(ls -d "$site"/nvidia/*/lib 2>/dev/null | paste -sd:) || libraries=""
		[ -n "$libraries" ] && around+=("LD_LIBRARY_PATH=$libraries${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}")
		toolkit=$(version 'nvidia_cuda_runtime*')
		[ -n "$toolkit" ] && { echo "CUDA libraries $toolkit"; notes+=("CUDA=$toolkit"); }
	else
		missing+=("the XLA plugin: found no ${plugin:-jax_plugins/xla_cuda1*/xla_cuda_plugin.so in the packages of $python}")
		plugin=""
	fi
elif [ -n "$plugin" ] && [ ! -f "$plugin" ]; then
	missing+=("the XLA plugin: found no $plugin")
	plugin=""
fi
if [ -z "$cpu" ] || [ -n "$plugin" ]; then
	command -v "${CC:-cc}" >/dev/null || command -v gcc >/dev/null || missing+=("a C compiler: the Go program with -tags xla needs cgo")
fi
if [ ${#missing[@]} -gt 0 ]; then
	say "missing:"
	printf '  %s\n' "${missing[@]}" >&2
	say "$install"
	[ -n "$cpu" ] || say "Without a GPU, CPU=1 compares the processor backend with PyTorch."
fi

mkdir -p "$out"
out=$(cd "$out" && pwd)
rm -f "$out"/{xla,cpu,eager,compile}.json
export GOEXPERIMENT=${GOEXPERIMENT:-simd}
flags=(-truth "$here/truth.json" "$@")
failed=0
ours() { # heading, name of the result, command
	echo "== Daedalus, $1"
	"${@:3}" "${flags[@]}" -out "$out/$2.json" && return
	say "Daedalus, $1 failed; its row says not run"
	failed=1
}
theirs() { # name of the result, mode, flags
	[ -n "$torch" ] || return 0
	echo "== PyTorch $2"
	"$python" "$here/torch_supernet.py" --plan "$out/plan" --mode "$2" ${precise[@]+"${precise[@]}"} --out "$out/$1.json" "${@:3}" && return
	say "PyTorch $2 failed; its row says not run"
	failed=1
}

if [ -n "$cpu" ]; then
	go build -C "$root" -o "$out/bench" ./bench/gpu
	"$out/bench" "${flags[@]}" -plan-only -plan "$out/plan"
	ours processor cpu env GOMAXPROCS=1 "$out/bench" -threads 1
	rows=("Daedalus=$out/cpu.json")
	if [ -n "$plugin" ]; then
		CGO_ENABLED=1 go build -C "$root" -tags xla -o "$out/bench-xla" ./bench/gpu
		ours XLA xla "${around[@]}" "$out/bench-xla" -backend xla -plugin "$plugin"
		rows+=("Daedalus, XLA=$out/xla.json")
	fi
	theirs eager eager --device cpu --threads 1
	[ -z "${COMPILE:-}" ] || theirs compile compile --device cpu --threads 1
	rows+=("PyTorch eager=$out/eager.json" "PyTorch compiled=$out/compile.json")
	echo
	"$out/bench" -table -clock processor "${rows[@]}"
	[ $failed -gt 0 ] || [ ${#missing[@]} -eq 0 ] || failed=3
	exit $failed
fi

rows=("Daedalus, XLA=$out/xla.json" "PyTorch eager=$out/eager.json" "PyTorch compiled=$out/compile.json")
if [ ${#missing[@]} -gt 0 ]; then
	go run -C "$root" ./bench/gpu -table "${rows[@]}"
	exit 3
fi
CGO_ENABLED=1 go build -C "$root" -tags xla -o "$out/bench" ./bench/gpu
"$out/bench" "${flags[@]}" -plan-only -plan "$out/plan"
said=()
for n in "${notes[@]}"; do said+=(-note "$n"); done
told=(--note "${notes[0]}") # the driver
ours XLA xla "${around[@]}" "$out/bench" -backend xla -plugin "$plugin$options" "${said[@]}"
theirs eager eager --device cuda "${told[@]}"
theirs compile compile --device cuda "${told[@]}"
echo
"$out/bench" -table "${rows[@]}"
exit $failed
