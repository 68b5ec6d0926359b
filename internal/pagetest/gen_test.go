package pagetest

import (
	"context"
	"os"
	"strconv"
	"testing"
)

func TestGen(t *testing.T) {
	n, _ := strconv.Atoi(os.Getenv("GEN_N"))
	if n == 0 {
		t.Skip()
	}
	if err := Large(context.Background(), os.Getenv("GEN"), n, 1); err != nil {
		t.Fatal(err)
	}
}
