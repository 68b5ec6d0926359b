package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// stubs stand for the programs that run.sh calls: a build makes a program that says what
// it was called with, and fails if it is told to.
var stubs = map[string]string{
	"go": `[ "$1" = version ] && { echo "go version stub"; exit; }
[ "$1" = run ] && { echo "bench ${*:5}"; exit; }
while [ $# -gt 0 ]; do
	[ "$1" = -o ] && { printf '#!/bin/bash\necho "bench $*"\n[ -z "$FAIL" ] || [[ "$*" != *"$FAIL"* ]]\n' >"$2"; chmod +x "$2"; }
	shift
done`,
	"cc": `exit 1`,
	// many lines: the script must not end when it reads only the first
	"nvidia-smi": `[ -z "$NO_GPU" ] || exit 6
for i in 1 2 3 4 5 6 7 8; do echo "NVIDIA H100 80GB HBM3, 580.12"; done`,
	"python": `case "$*" in
*torch_supernet*) echo "torch $*"; [ -z "$FAIL" ] || [[ "$*" != *"$FAIL"* ]];;
*"torch.__version__"*) [ -z "$NO_TORCH" ] || { echo "ModuleNotFoundError: No module named 'torch'"; exit 1; }; echo 9.9;;
*is_available*) echo "CUDA of PyTorch 13.0";;
-) cat >/dev/null; echo "$SITE/jax_plugins/xla_cuda13/xla_cuda_plugin.so";;
esac`,
}

// The one command compares what is there, says what is missing and what failed, and its
// status says so too.
func TestScript(t *testing.T) {
	t.Parallel()
	bash, err := exec.LookPath("bash")
	if err != nil || runtime.GOOS == "windows" {
		t.Skip("run.sh needs bash")
	}
	dir := t.TempDir()
	for name, text := range stubs {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/bash\n"+text+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	site := filepath.Join(dir, "site packages")
	for _, name := range []string{"jax_plugins/xla_cuda13", "nvidia/cu13/lib", "jax_cuda13_pjrt-0.12.0.1.dist-info", "nvidia_cuda_runtime-13.0.96.dist-info"} {
		if err := os.MkdirAll(filepath.Join(site, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(site, "jax_plugins", "xla_cuda13", "xla_cuda_plugin.so"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	script := must(filepath.Abs("run.sh"))
	for name, c := range map[string]struct {
		env    []string
		status int
		want   []string
		not    string
	}{
		"all": {nil, 0, []string{
			"GPU NVIDIA H100 80GB HBM3, driver 580.12", "jax 0.12.0.1", "CUDA libraries 13.0.96",
			"-plan-only", "-backend xla -plugin " + site, "-note driver=580.12 -note jax plugin=0.12.0.1 -note CUDA=13.0.96", "-steps 7",
			"--mode eager", "--mode compile", "--device cuda --note driver=580.12", "bench -table Daedalus, XLA=", "PyTorch compiled=",
		}, "missing"},
		"precise":      {[]string{"PRECISE=1"}, 0, []string{"xla_cuda_plugin.so,tf32=false", "--precise"}, "missing"},
		"xla fails":    {[]string{"FAIL=-backend xla"}, 1, []string{"Daedalus, XLA failed; its row says not run", "--mode compile", "bench -table"}, "missing"},
		"torch fails":  {[]string{"FAIL=--mode eager"}, 1, []string{"PyTorch eager failed; its row says not run", "--mode compile", "bench -table"}, "missing"},
		"no GPU":       {[]string{"NO_GPU=1"}, 3, []string{"missing:\n  an NVIDIA GPU: nvidia-smi", "pip install numpy torch", "CPU=1 compares", "bench -table"}, "--mode"},
		"no torch":     {[]string{"NO_TORCH=1"}, 3, []string{"does not import numpy and torch", "No module named 'torch'", "bench -table"}, "--mode"},
		"no Python":    {[]string{"PYTHON=nowhere"}, 3, []string{"found no interpreter nowhere", "bench -table"}, "--mode"},
		"no plugin":    {[]string{"PLUGIN=/nowhere/x.so"}, 3, []string{"the XLA plugin: found no /nowhere/x.so", "bench -table"}, "--mode"},
		"CPU":          {[]string{"CPU=1", "NO_GPU=1"}, 0, []string{"-threads 1", "--mode eager --out", "--device cpu --threads 1", "-table -clock processor"}, "missing"},
		"CPU no torch": {[]string{"CPU=1", "NO_TORCH=1"}, 3, []string{"does not import numpy and torch", "-table -clock processor"}, "--mode"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cmd := exec.CommandContext(t.Context(), bash, script, "-steps", "7")
			cmd.Dir = t.TempDir() // paths count from here
			cmd.Env = append(os.Environ(), "PATH="+dir+string(os.PathListSeparator)+os.Getenv("PATH"), "PYTHON=python", "SITE="+site, "OUT=results", "CPU=", "PLUGIN=", "PRECISE=", "COMPILE=", "FAIL=", "NO_GPU=", "NO_TORCH=")
			cmd.Env = append(cmd.Env, c.env...)
			text, err := cmd.CombinedOutput()
			status := 0
			if exit := (&exec.ExitError{}); errors.As(err, &exit) {
				status = exit.ExitCode()
			} else if err != nil {
				t.Fatal(err)
			}
			for _, want := range c.want {
				if !strings.Contains(string(text), want) {
					t.Errorf("found no %q", want)
				}
			}
			if status != c.status || strings.Contains(string(text), c.not) {
				t.Errorf("found the status %d, want %d and no %q", status, c.status, c.not)
			}
			if _, err := os.Stat(filepath.Join(cmd.Dir, "results")); err != nil {
				t.Error(err)
			}
			if t.Failed() {
				t.Logf("%s", text)
			}
		})
	}
}
