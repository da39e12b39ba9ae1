package graphql_test

import (
	"encoding/json"
	"strings"
	"testing"

	"stocksync/testenv/twin/graphql"
)

func TestParse_ReadsArgumentsDirectivesAndFragments(t *testing.T) {
	op, err := graphql.Parse(`mutation Set($in: [Row!]!, $none: Int) {
		first: set(input: {rows: $in, name: "a\"b", n: -1.5, on: true, kind: DEEP, gone: null, list: [1, $none, 2]}) @once(key: "k") {
			id, ... on Row { more }
		}
	}`, map[string]any{"in": []any{"x"}})
	if err != nil {
		t.Fatal(err)
	}
	got, err := json.Marshal(op)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"Kind":"mutation","Name":"Set","Fields":[{"Alias":"first","Name":"set",` +
		`"Args":{"input":{"gone":null,"kind":"DEEP","list":[1,2],"n":-1.5,"name":"a\"b","on":true,"rows":["x"]}},` +
		`"Directives":{"once":{"key":"k"}},"Fields":[` +
		`{"Alias":"id","Name":"id","Args":{},"Directives":null,"Fields":null,"On":""},` +
		`{"Alias":"","Name":"","Args":null,"Directives":null,"Fields":[{"Alias":"more","Name":"more","Args":{},` +
		`"Directives":null,"Fields":null,"On":""}],"On":"Row"}],"On":""}]}`
	if string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestParse_RefusesWhatAServerWould(t *testing.T) {
	for document, want := range map[string]string{
		``:                           "want",
		`{ a `:                       "want",
		`{ a } { b }`:                "follows",
		`subscription { a }`:         "operation",
		`query($x: Int!) { a }`:      "not given",
		`query { a(x: $y) }`:         "not declared",
		`{ a(x: ) }`:                 "want a value",
		`{ ...named }`:               "named fragment",
		`{ a(x: "open) }`:            "literal not terminated",
		`query($x: [Int!) { a }`:     "want",
		`{ a(x: {y: 1) }`:            "want",
		`mutation { a @once(key:) }`: "want a value",
	} {
		if _, err := graphql.Parse(document, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", document, err, want)
		}
	}
	if _, err := graphql.ReadBody([]byte(`{"query":7}`)); err == nil {
		t.Error("a body that is none: want an error")
	}
}

func TestProject_GivesWhatWasAskedForAndNoMore(t *testing.T) {
	root := graphql.Object{
		"a": 1, "b": graphql.Object{graphql.TypeName: "B", "x": "y", "z": 2}, "c": []graphql.Object{{"n": 1}, {"n": 2}},
		"d": func(f graphql.Field) (any, error) { return f.Args["v"], nil }, "e": nil,
	}
	for document, want := range map[string]string{
		`{ a }`:             `{"a":1}`,
		`{ one: a two: a }`: `{"one":1,"two":1}`,
		`{ b { __typename ... on B { x } ... on C { z } } }`: `{"b":{"__typename":"B","x":"y"}}`,
		`{ c { n } }`:     `{"c":[{"n":1},{"n":2}]}`,
		`{ d(v: "w") e }`: `{"d":"w","e":null}`,
		`{ b }`:           "subfields is missing",
		`{ a { x } }`:     "no subfields",
		`{ f }`:           "cannot query field",
		`{ c { m } }`:     "cannot query field",
	} {
		op, err := graphql.Parse(document, nil)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if out, err := graphql.Project(root, op.Fields); err != nil {
			got = err.Error()
		} else if b, err := json.Marshal(out); err == nil {
			got = string(b)
		}
		if got != want && (strings.HasPrefix(want, "{") || !strings.Contains(got, want)) {
			t.Errorf("%s: got %s, want %s", document, got, want)
		}
	}
}
