package cli

import (
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/daedalus-search/daedalus/internal/source"
)

//go:embed templates
var templates embed.FS

// templateDocs are the templates in the order in which they are listed.
var templateDocs = [][2]string{
	{"command-python", "your own evaluator in Python"},
	{"command-shell", "your own evaluator as a shell script"},
	{"conditional", "a space with choices, repeats and conditions"},
	{"nasbench201", "a built-in problem: networks for a phone"},
	{"ask-tell", "you evaluate by yourself, with ask and tell"},
}

func (a *app) initCommand() *cobra.Command {
	var folder string
	long := `Init writes a small study that runs as it is, with comments that say what to
change. It never overwrites a file. Templates:
`
	var names []string
	for _, t := range templateDocs {
		names = append(names, t[0])
		long += fmt.Sprintf("\n  %-15s %s", t[0], t[1])
	}
	cmd := &cobra.Command{
		Use:   "init [TEMPLATE]",
		Short: "Write a study file to start from",
		Long:  long,
		Example: `  daedalus init
  daedalus init command-shell
  daedalus init nasbench201 --dir phone`,
		Args:      args("one TEMPLATE", 0, 1),
		ValidArgs: names,
		RunE: func(_ *cobra.Command, args []string) error {
			name := names[0]
			if len(args) == 1 {
				name = args[0]
			}
			if !slices.Contains(names, name) {
				hint := "known are " + strings.Join(names, ", ")
				if near, ok := source.Nearest(name, names); ok {
					hint = fmt.Sprintf("did you mean %q?", near)
				}
				return usagef(hint, "there is no template %q", name)
			}
			files, err := a.writeTemplate(name, folder)
			if err != nil {
				return err
			}
			study := filepath.Join(folder, "study.yaml")
			if a.json {
				return a.writeJSON(a.out, map[string]any{"template": name, "files": files, "study": study})
			}
			a.say("Wrote %s.", strings.Join(files, " and "))
			a.say("Look at it with: daedalus show %s", study)
			if name == "ask-tell" {
				a.say("Begin with:      daedalus ask %s", study)
			} else {
				a.say("Run it with:     daedalus run %s", study)
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&folder, "dir", ".", "write into this folder")
	return cmd
}

// writeTemplate writes the files of a template, or none if one exists.
func (a *app) writeTemplate(name, folder string) ([]string, error) {
	dir := "templates/" + name
	entries, err := templates.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, e := range entries {
		path := filepath.Join(folder, e.Name())
		if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
			return nil, usagef("choose another folder with --dir, or move it away", "%s exists already", path)
		}
		out = append(out, path)
	}
	slices.SortFunc(out, func(x, y string) int { // the study first
		return strings.Compare(filepath.Ext(y), filepath.Ext(x))
	})
	if err := os.MkdirAll(folder, 0o777); err != nil {
		return nil, err
	}
	for _, e := range entries {
		text, err := templates.ReadFile(dir + "/" + e.Name())
		if err != nil {
			return nil, err
		}
		err = writeFile(filepath.Join(folder, e.Name()), func(w io.Writer) error {
			_, err := w.Write(text)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}
