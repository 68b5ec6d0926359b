package view

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"net/http"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"

	"maps"

	"github.com/daedalus-search/daedalus/web"
)

// WriteHTML writes a view as one page that needs nothing else: no network, no
// other file. Whatever a study holds is data in it and never runs: the page
// allows only its own script, by its hash.
func WriteHTML(w io.Writer, v *View) error {
	text, err := json.Marshal(v) // it writes < and > as \u003c and \u003e
	if err != nil {
		return fmt.Errorf("view: %w", err)
	}
	names := slices.Sorted(maps.Keys(v.blocks))
	packed, err := deflate(v.blocks, names)
	if err != nil {
		return err
	}
	out := bufio.NewWriterSize(w, 1<<16)
	head(out, v.Study.Name, "")
	out.WriteString(`<script id="view" type="application/json">`)
	out.Write(text)
	out.WriteString("</script>\n<script id=\"script\">")
	out.Write(script)
	out.WriteString("</script>\n")
	for i, name := range names {
		fmt.Fprintf(out, `<script type="text/plain" data-block="%s">`, html.EscapeString(name))
		e := base64.NewEncoder(base64.StdEncoding, out)
		if _, err := e.Write(packed[i]); err != nil {
			return fmt.Errorf("view: writing the page: %w", err)
		}
		if err := e.Close(); err != nil {
			return fmt.Errorf("view: writing the page: %w", err)
		}
		out.WriteString("</script>\n")
	}
	out.WriteString("</body>\n</html>\n")
	if err := out.Flush(); err != nil {
		return fmt.Errorf("view: writing the page: %w", err)
	}
	return nil
}

// script is the program of the page as it may stand between script tags.
var script = bytes.ReplaceAll(web.Script, []byte("</script"), []byte(`<\/script`))

// head writes a page up to where its data begins. api is where a server has the
// data, "" if the page has it.
func head(w *bufio.Writer, title, api string) {
	hash := sha256.Sum256(script)
	source, connect := "'sha256-"+base64.StdEncoding.EncodeToString(hash[:])+"'", "'none'"
	attr := ""
	if api != "" {
		source, connect = "'self'", "'self'"
		attr = ` data-api="` + html.EscapeString(api) + `"`
	}
	fmt.Fprintf(w, `<!doctype html>
<html lang="en"%s>
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="generator" content="Daedalus">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src %s; style-src 'unsafe-inline'; img-src data: blob:; connect-src %s; base-uri 'none'; form-action 'none'">
<title>%s</title>
<style id="style">%s</style>
</head>
<body>
<div id="app"></div>
<noscript>This page draws its content with JavaScript, which is switched off. The same figures come from "daedalus plot" and the tables from "daedalus front" and "daedalus trials".</noscript>
`, attr, source, connect, html.EscapeString(title), strings.ReplaceAll(string(web.Style), "</style", `<\/style`))
}

// deflate packs blocks on all cores.
func deflate(blocks map[string]block, names []string) ([][]byte, error) {
	out := make([][]byte, len(names))
	errs := make([]error, len(names))
	next := make(chan int)
	var wg sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(names)) {
		wg.Go(func() {
			for i := range next {
				out[i], errs[i] = blocks[names[i]].deflated()
			}
		})
	}
	for i := range names {
		next <- i
	}
	close(next)
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return nil, fmt.Errorf("view: %w", err)
		}
	}
	return out, nil
}

// Handler serves a page whose data comes by and by: "./" the page, "app.js",
// "view.json" and "blocks/NAME". get returns the view to show; it is called for
// every request and decides how fresh it is.
func Handler(get func(r *http.Request) (*View, error)) http.Handler {
	mux := http.NewServeMux()
	serve := func(pattern, kind string, write func(w http.ResponseWriter, r *http.Request, v *View)) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			v, err := get(r)
			if err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return
			}
			w.Header().Set("Content-Type", kind)
			w.Header().Set("X-Content-Type-Options", "nosniff")
			write(w, r, v)
		})
	}
	serve("GET /{$}", "text/html; charset=utf-8", func(w http.ResponseWriter, _ *http.Request, v *View) {
		out := bufio.NewWriter(w)
		head(out, v.Study.Name, "./")
		out.WriteString("<script src=\"app.js\"></script>\n</body>\n</html>\n")
		_ = out.Flush() // the reader has gone; there is nobody to tell
	})
	serve("GET /app.js", "text/javascript; charset=utf-8", func(w http.ResponseWriter, _ *http.Request, _ *View) {
		_, _ = w.Write(script)
	})
	serve("GET /view.json", "application/json", func(w http.ResponseWriter, _ *http.Request, v *View) {
		_ = json.NewEncoder(w).Encode(v)
	})
	serve("GET /blocks/{name}", "application/octet-stream", func(w http.ResponseWriter, r *http.Request, v *View) {
		b, ok := v.blocks[r.PathValue("name")]
		if !ok {
			http.NotFound(w, r)
			return
		}
		data := b.shuffled()
		w.Header().Set("Content-Length", strconv.Itoa(len(data)))
		_, _ = w.Write(data)
	})
	return mux
}
