#!/usr/bin/env bash
# One command: the supernet of bench/gpu through XLA on an NVIDIA GPU, in PyTorch eager and
# compiled on the same GPU, and one table.
#
#	bench/gpu/run.sh [flags of the Go program, such as -steps 2000 -batch 256]
#
# Variables:
#	PYTHON   interpreter that has torch and numpy (default python3)
#	PLUGIN   xla_cuda_plugin.so; by default that of the jax-cuda wheel beside PYTHON's packages
#	OUT      folder for results (default gpu-results)
#	PRECISE  1: no TF32, on either side
#	CPU      1: the same on this machine's processor, one thread each, by processor time;
#	         PLUGIN may then be a PJRT plugin for processors, and COMPILE=1 adds torch.compile
set -euo pipefail
cd "$(dirname "$0")/../.."
python=${PYTHON:-python3}
out=${OUT:-gpu-results}
cpu=${CPU:-}
plugin=${PLUGIN:-}
precise=()
options=""
if [ -n "${PRECISE:-}" ]; then
	precise=(--precise)
	options=",tf32=false"
fi
missing=()
around=(env GOPJRT_CUDA_CHECKS=0) # of the XLA program alone; go-xla looks for nvidia/ elsewhere, and would warn
say() { printf '%s\n' "$*" >&2; }

install='In an environment of its own, on a machine with an NVIDIA driver for CUDA 13 (580 or newer):
  python3 -m venv gpu-venv
  gpu-venv/bin/pip install numpy torch "jax-cuda13-plugin[with-cuda]"
  PYTHON=gpu-venv/bin/python bench/gpu/run.sh
An older driver takes the wheels of CUDA 12: torch from its cu12 index, and "jax-cuda12-plugin[with-cuda]".'

# What there is.
command -v go >/dev/null || { say "go is missing: install Go (https://go.dev/dl)"; exit 1; }
go version
torch=$("$python" -c 'import numpy, torch; print(torch.__version__)' 2>/dev/null) || torch=""
if [ -n "$torch" ]; then
	echo "PyTorch $torch ($python)"
else
	missing+=("PyTorch: $python cannot import torch and numpy (set PYTHON to an interpreter that can)")
fi
notes=()
if [ -z "$cpu" ]; then
	gpu=$(nvidia-smi --query-gpu=name,driver_version --format=csv,noheader 2>/dev/null | head -1) || gpu=""
	if [ -n "$gpu" ]; then
		echo "GPU ${gpu%%,*}, driver${gpu#*,}"
		notes+=("driver=${gpu#*, }")
	else
		missing+=("an NVIDIA GPU: nvidia-smi is not there or finds none")
	fi
	if [ -n "$torch" ]; then
		"$python" -c 'import sys, torch; print("CUDA of PyTorch", torch.version.cuda); sys.exit(not torch.cuda.is_available())' ||
			missing+=("CUDA in PyTorch: torch.cuda.is_available() is false")
	fi
	# The plugin lies in the wheel jax-cuda13-pjrt (or 12), the libraries that it loads in
	# site-packages/nvidia.
	site=$("$python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))' 2>/dev/null) || site=""
	if [ -z "$plugin" ] && [ -n "$site" ]; then
		plugin=$(ls -d "$site"/jax_plugins/xla_cuda1*/xla_cuda_plugin.so 2>/dev/null | sort | tail -1) || plugin=""
	elif [ -n "$plugin" ]; then
		site=$(dirname "$(dirname "$(dirname "$plugin")")")
	fi
	if [ -n "$plugin" ] && [ -f "$plugin" ]; then
		version=$(ls -d "$site"/jax_cuda1*_pjrt-*.dist-info 2>/dev/null | sort | tail -1 | sed 's/.*_pjrt-\(.*\)\.dist-info/\1/') || version=""
		echo "plugin $plugin, jax ${version:-of unknown version}"
		notes+=("jax plugin=${version:-unknown}")
		# libdevice and ptxas: one folder for CUDA 13, a wheel of their own for 12
		for dir in "$site/nvidia/cu13" "$site/nvidia/cuda_nvcc"; do
			[ -d "$dir" ] && around+=("XLA_FLAGS=${XLA_FLAGS:-} --xla_gpu_cuda_data_dir=$dir") && break
		done
		# the plugin's own search path has them too, where they lie as the wheels put them
		libraries=$(ls -d "$site"/nvidia/*/lib 2>/dev/null | paste -sd:) || libraries=""
		[ -n "$libraries" ] && around+=("LD_LIBRARY_PATH=$libraries${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}")
		toolkit=$(ls -d "$site"/nvidia_cuda_runtime*.dist-info 2>/dev/null | sort | tail -1 | sed 's/.*runtime[^-]*-\(.*\)\.dist-info/\1/') || toolkit=""
		[ -n "$toolkit" ] && { echo "CUDA libraries $toolkit"; notes+=("CUDA=$toolkit"); }
	else
		missing+=("the XLA plugin: ${plugin:-jax_plugins/xla_cuda1*/xla_cuda_plugin.so in the packages of $python}")
		plugin=""
	fi
	command -v cc >/dev/null || missing+=("a C compiler: the Go program with -tags xla needs cgo")
fi
if [ ${#missing[@]} -gt 0 ]; then
	say "missing:"
	printf '  %s\n' "${missing[@]}" >&2
	say "$install"
	[ -n "$cpu" ] || say "Without a GPU, CPU=1 compares the processor backend with PyTorch."
fi
said=()
for n in "${notes[@]}"; do said+=(-note "$n"); done
told=()
for n in "${notes[@]}"; do told+=(--note "$n"); done

mkdir -p "$out"
rm -f "$out"/*.json
export GOEXPERIMENT=${GOEXPERIMENT:-simd}
gotorch() { # name, mode, device, other flags
	[ -n "$torch" ] || return 0
	echo "== PyTorch $2"
	"$python" bench/gpu/torch_supernet.py --plan "$out/plan" --mode "$2" --device "$3" "${precise[@]}" --out "$out/$1.json" "${@:4}" ||
		say "PyTorch $2 failed; its row says not run"
}

if [ -n "$cpu" ]; then
	go build -o "$out/bench" ./bench/gpu
	"$out/bench" "$@" -plan-only -plan "$out/plan"
	echo "== Daedalus, processor"
	GOMAXPROCS=1 "$out/bench" "$@" -threads 1 -out "$out/cpu.json"
	rows=("Daedalus=$out/cpu.json")
	if [ -n "$plugin" ]; then
		CGO_ENABLED=1 go build -tags xla -o "$out/bench-xla" ./bench/gpu
		echo "== Daedalus, XLA"
		"${around[@]}" "$out/bench-xla" "$@" -backend xla -plugin "$plugin" -out "$out/xla.json" || say "XLA failed; its row says not run"
		rows+=("Daedalus, XLA=$out/xla.json")
	fi
	gotorch eager eager cpu --threads 1
	rows+=("PyTorch eager=$out/eager.json")
	[ -z "${COMPILE:-}" ] || gotorch compile compile cpu --threads 1
	rows+=("PyTorch compiled=$out/compile.json")
	echo
	"$out/bench" -table -clock processor "${rows[@]}"
	exit 0
fi

rows=("Daedalus, XLA=$out/xla.json" "PyTorch eager=$out/eager.json" "PyTorch compiled=$out/compile.json")
if [ ${#missing[@]} -gt 0 ]; then
	go run ./bench/gpu -table "${rows[@]}"
	exit 3
fi
CGO_ENABLED=1 go build -tags xla -o "$out/bench" ./bench/gpu
"$out/bench" "$@" -plan-only -plan "$out/plan"
echo "== Daedalus, XLA"
"${around[@]}" "$out/bench" "$@" -backend xla -plugin "$plugin$options" "${said[@]}" -out "$out/xla.json" || say "XLA failed; its row says not run"
gotorch eager eager cuda "${told[@]}"
gotorch compile compile cuda "${told[@]}"
echo
"$out/bench" -table "${rows[@]}"
