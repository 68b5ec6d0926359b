// Package detmath computes exp, log, powers and the normal distribution with
// the same bits on every platform.
//
// The functions of package math do not: some have assembly on one architecture
// and not on another, and on arm64, ppc64le, riscv64 and s390x the compiler may
// fuse a*b + c into one rounding. A search that compares such numbers then takes
// another path on another machine. Here everything is plain Go, every product
// is written float64(a*b), which the language forbids to fuse, and of package
// math only operations that IEEE 754 rounds exactly are used (Sqrt, Abs, Floor,
// Frexp, Ldexp). A test reads the source and fails on an unwrapped product.
//
//	x := detmath.PhiInv(0.975)             // 1.959963984540054
//	p := detmath.Phi(x)                    // 0.975
//	d := detmath.LogNormInterval(-40, -39) // finite: no underflow in the tail
//
// Accuracy, as this package's tests measure it against series in arbitrary
// precision: Exp 0.83, Log 0.73 and Pow 0.90 units in the last place; Phi and
// LogPhi 6e-16 relative from -37.5 to 8; LogNormInterval 1.3e-15; PhiInv 1.2e-15
// relative where its argument carries that many digits.
package detmath
