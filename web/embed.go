// Package web holds the pages of Daedalus: the report of a study, and the parts
// that a dashboard shares with it. They are written in TypeScript with Preact
// (src), bundled by tools/webbuild into one script and one style sheet (dist)
// and embedded here, so that building the engine needs no Node.
//
// Start at src/app.tsx; src/data.ts is what a page is fed.
package web

import _ "embed"

// Script is the program of every page.
//
//go:embed dist/app.js
var Script []byte

// Style is its style sheet.
//
//go:embed dist/app.css
var Style []byte
