package graphql

import "fmt"

// Object is a value with fields. One that is a func(Field) (any, error) is worked out for the field that asks.
type Object map[string]any

// TypeName is the field by which an object tells its type, to inline fragments too.
const TypeName = "__typename"

// Project returns of a value what was asked for. An error is that a field was asked for that is not there, or
// that an object is asked for whole.
func Project(value any, fields []Field) (any, error) {
	switch v := value.(type) {
	case Object:
		if v == nil {
			return nil, nil
		}
		if len(fields) == 0 {
			return nil, fmt.Errorf("a selection of subfields is missing")
		}
		out := map[string]any{}
		return out, v.project(fields, out)
	case []Object:
		list := make([]any, len(v))
		for i := range v {
			one, err := Project(v[i], fields)
			if err != nil {
				return nil, err
			}
			list[i] = one
		}
		return list, nil
	}
	if len(fields) > 0 {
		return nil, fmt.Errorf("a scalar has no subfields")
	}
	return value, nil
}

func (o Object) project(fields []Field, out map[string]any) error {
	for _, f := range fields {
		if f.On != "" {
			if o[TypeName] == f.On {
				if err := o.project(f.Fields, out); err != nil {
					return err
				}
			}
			continue
		}
		value, ok := o[f.Name]
		if !ok {
			return fmt.Errorf("cannot query field %q on type %q", f.Name, o[TypeName])
		}
		if resolve, lazy := value.(func(Field) (any, error)); lazy {
			var err error
			if value, err = resolve(f); err != nil {
				return err
			}
		}
		if value == nil {
			out[f.Alias] = nil
			continue
		}
		one, err := Project(value, f.Fields)
		if err != nil {
			return err
		}
		out[f.Alias] = one
	}
	return nil
}
