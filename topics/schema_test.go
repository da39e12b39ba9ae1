package topics_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"stocksync/topics"
)

// schemaBases are the topics that have a schema.
func schemaBases() []string {
	bases := []string{topics.DeadLetters}
	for _, c := range codecs {
		bases = append(bases, c.base)
	}
	return bases
}

// compiled holds the compiled schemas by base name. Formats count, as they do for whoever checks in earnest.
var compiled = sync.OnceValues(func() (map[string]*jsonschema.Schema, error) {
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	all := map[string]*jsonschema.Schema{}
	for _, base := range schemaBases() {
		text, err := topics.Schema(base)
		if err != nil {
			return nil, err
		}
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", base, err)
		}
		id := doc.(map[string]any)["$id"].(string)
		if err := c.AddResource(id, doc); err != nil {
			return nil, fmt.Errorf("%s: %w", base, err)
		}
		if all[base], err = c.Compile(id); err != nil {
			return nil, fmt.Errorf("%s: %w", base, err)
		}
	}
	return all, nil
})

// validate checks a value against the schema of a topic.
func validate(tb testing.TB, base string, value []byte) error {
	tb.Helper()
	all, err := compiled()
	if err != nil {
		tb.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(value))
	if err != nil {
		return err
	}
	return all[base].Validate(doc)
}

// node is one schema or subschema.
type node = map[string]any

// document reads the schema of a topic.
func document(t *testing.T, base string) node {
	t.Helper()
	text, err := topics.Schema(base)
	if err != nil {
		t.Fatal(err)
	}
	var doc node
	if err := json.Unmarshal(text, &doc); err != nil {
		t.Fatalf("%s: %v", base, err)
	}
	return doc
}

// resolve returns n with what its $ref names added.
func resolve(doc, n node) node {
	ref, ok := n["$ref"].(string)
	if !ok {
		return n
	}
	whole := maps.Clone(resolve(doc, doc["$defs"].(node)[strings.TrimPrefix(ref, "#/$defs/")].(node)))
	maps.Copy(whole, n)
	return whole
}

func TestSchema_IsOfEveryTopicButChangelog(t *testing.T) {
	for _, d := range topics.Definitions() {
		text, err := topics.Schema(d.Base)
		if d.Base == topics.Changelog {
			if !errors.Is(err, topics.ErrNoSchema) {
				t.Errorf("%s: got %v, want ErrNoSchema", d.Base, err)
			}
			continue
		}
		if err != nil || !json.Valid(text) {
			t.Errorf("%s: %v in %s", d.Base, err, text)
		}
	}
	for _, name := range []string{"", "bogus", "../schemas/orders", "stock.orders"} {
		if _, err := topics.Schema(name); !errors.Is(err, topics.ErrNoSchema) {
			t.Errorf("%q: got %v, want ErrNoSchema", name, err)
		}
	}
}

func TestSchema_BelongsToItsCaller(t *testing.T) {
	first, _ := topics.Schema(topics.Orders)
	clear(first)
	if second, err := topics.Schema(topics.Orders); err != nil || !json.Valid(second) {
		t.Errorf("got %v, %s", err, second)
	}
}

func TestSchema_SaysWhatItIs(t *testing.T) {
	for _, base := range schemaBases() {
		doc := document(t, base)
		if got, want := doc["$id"], "urn:stocksync:schema:"+base; got != want {
			t.Errorf("%s: got $id %v, want %s", base, got, want)
		}
		if got, want := doc["$schema"], "https://json-schema.org/draft/2020-12/schema"; got != want {
			t.Errorf("%s: got $schema %v, want %s", base, got, want)
		}
		for _, name := range []string{"title", "description"} {
			if text, _ := doc[name].(string); text == "" {
				t.Errorf("%s has no %s", base, name)
			}
		}
		for path, n := range members(doc) {
			if text, _ := n["description"].(string); text == "" {
				t.Errorf("%s: %s has no description", base, path)
			}
		}
	}
}

// members returns every field that a schema describes, by its path such as targets/product_id.
func members(doc node) map[string]node {
	all := map[string]node{}
	var walk func(path string, n node)
	walk = func(path string, n node) {
		n = resolve(doc, n)
		properties, _ := n["properties"].(node)
		for name, member := range properties {
			all[path+name] = member.(node)
			walk(path+name+"/", member.(node))
		}
		for _, name := range []string{"items", "additionalProperties"} {
			if inner, ok := n[name].(node); ok {
				walk(path, inner)
			}
		}
	}
	walk("", doc)
	return all
}

// TestSchema_NamesTheFieldsOfItsRecord is T3.
func TestSchema_NamesTheFieldsOfItsRecord(t *testing.T) {
	for _, c := range codecs {
		got := slices.Sorted(maps.Keys(members(document(t, c.base))))
		if want := fieldsOf(c.record, ""); !slices.Equal(got, want) {
			t.Errorf("%s: the schema has\n%q, the Go type\n%q", c.base, got, want)
		}
	}
}

// fieldsOf returns the paths of a record type's JSON fields, sorted.
func fieldsOf(t reflect.Type, path string) []string {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	switch {
	case t == reflect.TypeFor[topics.StoreStock](): // an object keyed by store
		return []string{path + "reserved", path + "taken"}
	case t == reflect.TypeFor[topics.StoreRevision](): // likewise, of numbers
		return nil
	case t.Kind() != reflect.Struct:
		return nil
	}
	var all []string
	for field := range t.Fields() {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		all = append(append(all, path+name), fieldsOf(field.Type, path+name+"/")...)
	}
	slices.Sort(all)
	return all
}

func TestSchema_DefinitionsOfOneNameAreOneDefinition(t *testing.T) {
	seen, where := map[string]any{}, map[string]string{}
	for _, base := range schemaBases() {
		defs, _ := document(t, base)["$defs"].(node)
		for name, def := range defs {
			if first, ok := seen[name]; ok && !reflect.DeepEqual(first, def) {
				t.Errorf("%s and %s differ in %s", where[name], base, name)
			}
			seen[name], where[name] = def, base
		}
	}
}

// TestSchema_ForbidsNoField: a record of a later release is valid under the schema of an earlier one.
func TestSchema_ForbidsNoField(t *testing.T) {
	for _, base := range schemaBases() {
		text, _ := topics.Schema(base)
		for _, closed := range []string{`"additionalProperties": false`, `"unevaluatedProperties"`, `"not": {"required"`} {
			if bytes.Contains(text, []byte(closed)) {
				t.Errorf("%s has %s", base, closed)
			}
		}
	}
	for _, c := range codecs {
		later := with(t, c.encode(full[c.base]), "a_later_field", `{"of":["a","later",{"release":1}]}`)
		if err := validate(t, c.base, later); err != nil {
			t.Errorf("%s: %v", c.base, err)
		}
		if _, err := c.decode(later); err != nil {
			t.Errorf("%v in %s", err, later)
		}
	}
}

// with returns a JSON object with one member more.
func with(t *testing.T, object []byte, name, raw string) []byte {
	t.Helper()
	more := fmt.Appendf(bytes.TrimSuffix(bytes.TrimSpace(object), []byte("}")), ",%q:%s}", name, raw)
	if !json.Valid(more) {
		t.Fatalf("not JSON: %s", more)
	}
	return more
}

// TestSchema_OnlyGrows compares the fields with those that were published: testdata/contract.txt holds topic, field,
// types, and an exclamation mark behind what is required. A line may be added, none may change or go.
func TestSchema_OnlyGrows(t *testing.T) {
	var now []string
	for _, base := range schemaBases() {
		doc := document(t, base)
		for path, n := range members(doc) {
			now = append(now, base+" "+path+" "+types(resolve(doc, n))+required(doc, path))
		}
	}
	slices.Sort(now)
	text, err := os.ReadFile("testdata/contract.txt")
	if err != nil {
		t.Fatal(err)
	}
	published := strings.Split(strings.TrimSpace(string(text)), "\n")
	for _, line := range published {
		if !slices.Contains(now, line) {
			t.Errorf("published, and no longer so: %s", line)
		}
	}
	for _, line := range now {
		if !slices.Contains(published, line) {
			t.Errorf("new: add it to testdata/contract.txt: %s", line)
		}
	}
}

// types returns the types of a field as one word; any when it has none.
func types(n node) string {
	switch types := n["type"].(type) {
	case string:
		return types
	case []any:
		return strings.Trim(strings.ReplaceAll(fmt.Sprint(types), " ", "|"), "[]")
	}
	return "any"
}

// required returns an exclamation mark if the object that holds the field at path requires it.
func required(doc node, path string) string {
	n := resolve(doc, doc)
	names := strings.Split(path, "/")
	for _, name := range names[:len(names)-1] {
		n = resolve(doc, n["properties"].(node)[name].(node))
		for _, inner := range []string{"items", "additionalProperties"} {
			if of, ok := n[inner].(node); ok {
				n = resolve(doc, of)
			}
		}
	}
	list, _ := n["required"].([]any)
	if slices.Contains(list, any(names[len(names)-1])) {
		return "!"
	}
	return ""
}

func TestSchema_ExamplesAreValidAndDecode(t *testing.T) {
	for _, base := range schemaBases() {
		examples := examplesOf(t, base)
		if len(examples) == 0 {
			t.Errorf("%s has no example", base)
		}
		for _, example := range examples {
			if err := validate(t, base, example); err != nil {
				t.Errorf("%v in %s", err, example)
			}
			if base == topics.DeadLetters {
				continue
			}
			c := codecOf(t, base)
			record, err := c.decode(example)
			if err != nil {
				t.Errorf("%v in %s", err, example)
				continue
			}
			if err := validate(t, base, c.encode(record)); err != nil {
				t.Errorf("written again: %v in %s", err, c.encode(record))
			}
		}
	}
}

// examplesOf returns the examples of a topic's schema.
func examplesOf(tb testing.TB, base string) []json.RawMessage {
	tb.Helper()
	text, err := topics.Schema(base)
	if err != nil {
		tb.Fatal(err)
	}
	var doc struct{ Examples []json.RawMessage }
	if err := json.Unmarshal(text, &doc); err != nil {
		tb.Fatal(err)
	}
	return doc.Examples
}

func TestSchema_ExamplesShowEveryField(t *testing.T) {
	for _, base := range []string{topics.Mutations, topics.Orders, topics.Commands, topics.AvailabilityTopic, topics.Stores} {
		shown := map[string]bool{}
		for _, example := range examplesOf(t, base) {
			var members node
			if err := json.Unmarshal(example, &members); err != nil {
				t.Fatal(err)
			}
			for name := range members {
				shown[name] = true
			}
		}
		for name := range document(t, base)["properties"].(node) {
			if !shown[name] {
				t.Errorf("no example of %s has %s", base, name)
			}
		}
	}
}

// TestSchema_TakesWhatIsWritten is the other half of T2.
func TestSchema_TakesWhatIsWritten(t *testing.T) {
	for _, c := range codecs {
		for _, record := range []any{full[c.base], least[c.base]} {
			value := c.encode(record)
			if err := validate(t, c.base, value); err != nil {
				t.Errorf("%s: %v in %s", c.base, err, value)
			}
		}
	}
}

func TestSchema_ListsWhatTheCodeLists(t *testing.T) {
	text := func(list any) []string {
		var names []string
		for _, name := range list.([]any) {
			names = append(names, name.(string))
		}
		return names
	}
	reasons := []string{}
	for _, r := range topics.Reasons() {
		reasons = append(reasons, string(r))
	}
	if got := text(members(document(t, topics.DeadLetters))["reason"]["enum"]); !slices.Equal(got, reasons) {
		t.Errorf("reasons of dead letters: got %q, want %q", got, reasons)
	}
	reasons = nil
	for _, r := range topics.SyncReasons() {
		reasons = append(reasons, string(r))
	}
	if got := text(members(document(t, topics.SyncStatusTopic))["reason"]["examples"]); !slices.Equal(got, reasons) {
		t.Errorf("reasons of sync-status: got %q, want %q", got, reasons)
	}
}
