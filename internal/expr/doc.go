// Package expr is the language in which a study states conditions and limits:
// constraints of a space (tile * unroll <= 256), conditions of a parameter
// (opt == O3), limits on metrics and filters of trials.
//
// The language is closed: no user functions, no loops, no state. So an
// expression can be typed, bounded over a whole box of designs, and solved for
// one unknown, which is what lets a sampler propagate a constraint where it
// would otherwise draw and reject.
//
//	e, err := expr.Parse("tile * unroll <= 256")
//	p, err := e.Bind(func(name string) (expr.Ref, bool) { ... })
//	p.Truth(env)                  // True, False, Undefined or Unknown
//	p.Bounds(box).Truth()         // what can still become of it
//	p.Narrow(box, unroll, 1, 64)  // which values of one slot may satisfy it
//
// # Grammar
//
// From loosest to tightest binding:
//
//	expr    = implies [ "?" expr ":" expr ] .
//	implies = or [ "=>" implies ] .
//	or      = and { ( "or" | "||" ) and } .
//	and     = not { ( "and" | "&&" ) not } .
//	not     = ( "not" | "!" ) not | compare .
//	compare = sum { ( "==" | "!=" | "<" | "<=" | ">" | ">=" ) sum }
//	        | sum [ "not" ] "in" "[" expr { "," expr } "]" .
//	sum     = product { ( "+" | "-" ) product } .
//	product = unary { ( "*" | "/" | "%" ) unary } .
//	unary   = "-" unary | power .
//	power   = primary [ ( "^" | "**" ) unary ] .
//	primary = number | string | "true" | "false" | name
//	        | function "(" expr { "," expr } ")" | "(" expr ")" .
//	name    = segment { "." segment | "[" digits "]" } | "`" any text "`" .
//
// Strings stand in single or double quotes, with the escapes \\ \' \" \n \r \t.
// A chain a <= b < c means a <= b and b < c; its comparisons must point one way.
//
// Functions of numbers: abs floor ceil round sqrt log log2 exp min max. round
// goes away from zero at halves, log is the natural logarithm, a % b has the
// sign of b.
//
// Aggregates run over the instances of a repeated part: sum min max of a number,
// count all any of a condition, len of a path. Their argument names repeated
// paths as if there were one instance: sum(stages.width * stages.depth),
// all(stages.kernel in [3, 5]). Instances for which the argument is undefined,
// as an absent stage, are left out; sum and count of none are 0, all is true,
// any is false, min and max are undefined. Aggregates do not nest.
//
// active(name) says whether a parameter takes part in the design.
//
// A bare word compared with a parameter is a string if it names no parameter
// itself: opt == O3 is opt == 'O3'.
//
// # Undefined
//
// An expression that needs the value of an inactive parameter is Undefined. So
// is one that has no value as a number: division or remainder by zero, the
// logarithm of a number that is not positive, the root of a negative one, 0 to a
// negative power, a fractional power of a negative number, and whatever else
// gives a NaN. Overflow is not undefined but infinite. Comparing values of
// different kinds with == gives false.
//
// and, or, not and => follow Kleene's strong logic: "false and undefined" is
// false. What to make of an undefined result is the caller's: a requirement that
// is undefined holds, a condition that is undefined does not.
//
// Results have the same bits on every platform (internal/detmath).
package expr
