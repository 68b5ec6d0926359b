// Command webbuild bundles the pages of web/src into web/dist: one script and
// one style sheet, which package web embeds.
//
//	cd web && npm ci && cd ../tools && go run ./webbuild
//
// The output depends on the sources and on the versions in
// web/package-lock.json and tools/go.mod alone, so building again changes
// nothing; CI checks that. With -watch it builds at every change.
package main

import (
	"bytes"
	"compress/gzip"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/evanw/esbuild/pkg/api"
)

// limit is what a page's script and style may weigh, compressed.
const limit = 60_000

func main() {
	watch := flag.Bool("watch", false, "build again at every change")
	out := flag.String("out", "dist", "folder to write to, from web")
	flag.Parse()
	if err := run(*watch, *out); err != nil {
		fmt.Fprintln(os.Stderr, "webbuild:", err)
		os.Exit(1)
	}
}

// squeeze makes a script smaller still: terser looks across statements, which
// takes off another twentieth.
func squeeze(root, path string) ([]byte, error) {
	cmd := exec.Command("node", filepath.Join(root, "node_modules", "terser", "bin", "terser"), path, "--ecma", "2020", "--mangle",
		"--compress", "passes=3,pure_getters=false,ecma=2020", "--output", path)
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("terser: %w: %s", err, out)
	}
	return os.ReadFile(path)
}

func run(watch bool, out string) error {
	root, err := filepath.Abs(filepath.Join("..", "web"))
	if err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(root, "node_modules")); err != nil {
		return fmt.Errorf("%s has no node_modules; run `npm ci` there first", root)
	}
	options := api.BuildOptions{
		AbsWorkingDir:     root,
		EntryPoints:       []string{"src/app.tsx"},
		Outdir:            out,
		Bundle:            true,
		Write:             true,
		MinifyWhitespace:  true,
		MinifyIdentifiers: true,
		MinifySyntax:      true,
		Charset:           api.CharsetUTF8,
		LegalComments:     api.LegalCommentsNone,
		Format:            api.FormatIIFE,
		// The engines of mid 2023: all have DecompressionStream.
		Engines: []api.Engine{
			{Name: api.EngineChrome, Version: "112"},
			{Name: api.EngineFirefox, Version: "113"},
			{Name: api.EngineSafari, Version: "16.4"},
		},
		// Calls of createElement are a kilobyte smaller than those of the jsx runtime that
		// tsconfig.json names for the type checker.
		TsconfigRaw: `{"compilerOptions": {"jsx": "react", "jsxFactory": "createElement", "jsxFragmentFactory": "Fragment"}}`,
		Inject:      []string{"src/jsx.ts"},
		LogLevel:    api.LogLevelWarning,
	}
	if watch {
		ctx, failed := api.Context(options)
		if failed != nil {
			return failed
		}
		defer ctx.Dispose()
		if err := ctx.Watch(api.WatchOptions{}); err != nil {
			return err
		}
		select {}
	}
	result := api.Build(options)
	if len(result.Errors) > 0 {
		return fmt.Errorf("%d errors", len(result.Errors))
	}
	total := 0
	for _, f := range result.OutputFiles {
		if filepath.Ext(f.Path) == ".js" {
			if f.Contents, err = squeeze(root, f.Path); err != nil {
				return err
			}
		}
		var b bytes.Buffer
		z, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
		if err != nil {
			return err
		}
		if _, err := z.Write(f.Contents); err != nil {
			return err
		}
		if err := z.Close(); err != nil {
			return err
		}
		fmt.Printf("%-10s %7d bytes, %6d gzip\n", filepath.Base(f.Path), len(f.Contents), b.Len())
		total += b.Len()
	}
	if total > limit {
		return fmt.Errorf("%d bytes gzip in all; at most %d are allowed", total, limit)
	}
	return nil
}
