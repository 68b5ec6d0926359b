package main

import (
	"os"
	"testing"
)

func TestGeneratedFileIsCurrent(t *testing.T) {
	source, err := os.ReadFile("../lanes16.go")
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile("../lanes8.go")
	if err != nil {
		t.Fatal(err)
	}
	if string(narrow(source)) != string(got) {
		t.Error("lanes8.go is not what lanes16.go gives; run go generate ./neural/internal/kernel")
	}
}
