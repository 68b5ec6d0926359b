package report

import (
	"fmt"
	"io"
	"reflect"

	"github.com/parquet-go/parquet-go"
)

// columnsNode is a group whose fields keep their order; a [parquet.Group] is a
// map and sorts them.
type columnsNode struct {
	parquet.Group
	fields []parquet.Field
}

func (n *columnsNode) Fields() []parquet.Field { return n.fields }

// GoType is never filled: rows are written value by value. A struct with our
// names as fields cannot exist.
func (n *columnsNode) GoType() reflect.Type { return reflect.TypeFor[struct{}]() }

type columnField struct {
	parquet.Node
	name string
}

func (f columnField) Name() string                      { return f.name }
func (f columnField) Value(reflect.Value) reflect.Value { return reflect.Value{} }

const parquetBatch = 1024

func (t *Table) writeParquet(w io.Writer, name string, trials Trials) (err error) {
	defer func() { // parquet-go panics on schemas it dislikes
		if x := recover(); x != nil {
			err = fmt.Errorf("report: writing Parquet: %v", x)
		}
	}()
	root := &columnsNode{Group: parquet.Group{}}
	for _, c := range t.Columns {
		var n parquet.Node
		switch c.Kind {
		case Int:
			n = parquet.Int(64)
		case Float:
			n = parquet.Leaf(parquet.DoubleType)
		case Bool:
			n = parquet.Leaf(parquet.BooleanType)
		default:
			n = parquet.String()
		}
		n = parquet.Optional(n)
		root.Group[c.Name] = n
		root.fields = append(root.fields, columnField{n, c.Name})
	}
	out := parquet.NewWriter(w, parquet.NewSchema(name, root), parquet.Compression(&parquet.Snappy))
	rows := make([]parquet.Row, 0, parquetBatch)
	flush := func() error {
		if _, err := out.WriteRows(rows); err != nil {
			return fmt.Errorf("report: writing Parquet: %w", err)
		}
		rows = rows[:0]
		return nil
	}
	var row []any
	for trial, err := range trials {
		if err != nil {
			return err
		}
		if row, err = t.Row(&trial, row); err != nil {
			return err
		}
		values := make(parquet.Row, len(row))
		for i, v := range row {
			if v == nil {
				values[i] = parquet.NullValue().Level(0, 0, i)
			} else {
				values[i] = parquet.ValueOf(v).Level(0, 1, i)
			}
		}
		if rows = append(rows, values); len(rows) == parquetBatch {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	if err := flush(); err != nil {
		return err
	}
	if err := out.Close(); err != nil {
		return fmt.Errorf("report: writing Parquet: %w", err)
	}
	return nil
}
