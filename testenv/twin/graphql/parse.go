// Package graphql is what twins need of GraphQL: it reads a request's document into a tree of fields with their
// arguments, and answers with the fields that were asked for and no others, so that an adapter which forgets to
// ask for a field does not get it.
//
//	parse.go     a document: one operation, fields, aliases, arguments, directives, inline fragments
//	project.go   an answer cut to what was asked for
//
// Of the language it leaves out what no adapter here uses: named fragments and several operations in a document.
package graphql

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"text/scanner"
)

// Operation is the one operation of a document.
type Operation struct {
	Kind   string // query or mutation
	Name   string
	Fields []Field
}

// Field is a field that is asked for, with its arguments' values.
type Field struct {
	Alias, Name string
	Args        map[string]any
	Directives  map[string]map[string]any // arguments by name of the directive
	Fields      []Field
	On          string // an inline fragment on that type; Fields is all it has
}

// Enum is the value of an argument that is a bare word.
type Enum string

// ReadBody reads the operation of a request's body.
func ReadBody(body []byte) (*Operation, error) {
	var r struct {
		Query     string         `json:"query"`
		Variables map[string]any `json:"variables"`
	}
	if err := json.Unmarshal(body, &r); err != nil {
		return nil, fmt.Errorf("body: %w", err)
	}
	return Parse(r.Query, r.Variables)
}

// Parse reads a document and puts the values of variables in their places. A variable that has no value is left
// out, as if its argument had not been given.
func Parse(document string, variables map[string]any) (*Operation, error) {
	p := &parser{variables: variables}
	p.lexer.Init(strings.NewReader(document))
	p.lexer.Mode = scanner.ScanIdents | scanner.ScanInts | scanner.ScanFloats | scanner.ScanStrings
	p.lexer.Error = func(_ *scanner.Scanner, text string) { p.fail(errors.New(text)) }
	p.next()
	op := p.operation()
	if p.err == nil && p.token != scanner.EOF {
		p.fail(errors.New("something follows the operation"))
	}
	return op, p.err
}

// parser reads a document. After the first error every step does nothing.
type parser struct {
	lexer     scanner.Scanner
	token     rune
	text      string
	variables map[string]any
	declared  map[string]bool
	err       error
}

func (p *parser) fail(err error) {
	if p.err == nil {
		p.err = fmt.Errorf("syntax error at %s: %w", p.lexer.Pos(), err)
	}
	p.token = scanner.EOF
}

func (p *parser) next() {
	if p.err != nil {
		return
	}
	p.token, p.text = p.lexer.Scan(), p.lexer.TokenText()
}

// take goes on when the next token is that one.
func (p *parser) take(token rune) bool {
	if p.token != token || p.err != nil {
		return false
	}
	p.next()
	return true
}

func (p *parser) want(token rune) {
	if !p.take(token) {
		p.fail(fmt.Errorf("want %q, got %q", string(token), p.text))
	}
}

func (p *parser) name() string {
	text := p.text
	p.want(scanner.Ident)
	return text
}

func (p *parser) operation() *Operation {
	op := &Operation{Kind: "query"}
	if p.token == scanner.Ident {
		op.Kind = p.name()
		if p.token == scanner.Ident {
			op.Name = p.name()
		}
		p.declarations()
	}
	if op.Kind != "query" && op.Kind != "mutation" {
		p.fail(fmt.Errorf("operation %q", op.Kind))
	}
	op.Fields = p.selection()
	return op
}

// declarations reads ($name: Type!, ...).
func (p *parser) declarations() {
	p.declared = map[string]bool{}
	if !p.take('(') {
		return
	}
	for p.err == nil && !p.take(')') {
		p.want('$')
		name := p.name()
		p.declared[name] = true
		p.want(':')
		depth := 0
		for p.take('[') {
			depth++
		}
		p.name()
		required := p.take('!')
		for range depth {
			p.want(']')
			required = p.take('!')
		}
		if p.take('=') {
			p.value()
		}
		p.take(',')
		if _, given := p.variables[name]; required && !given {
			p.fail(fmt.Errorf("variable %q is not given", name))
		}
	}
}

func (p *parser) selection() []Field {
	var all []Field
	p.want('{')
	for p.err == nil && !p.take('}') {
		if p.take('.') {
			p.want('.')
			p.want('.')
			if on := p.name(); on != "on" {
				p.fail(errors.New("a named fragment"))
			}
			all = append(all, Field{On: p.name(), Fields: p.selection()})
			continue
		}
		f := Field{Name: p.name()}
		f.Alias = f.Name
		if p.take(':') {
			f.Name = p.name()
		}
		f.Args = p.arguments()
		for p.take('@') {
			if f.Directives == nil {
				f.Directives = map[string]map[string]any{}
			}
			name := p.name()
			f.Directives[name] = p.arguments()
		}
		if p.token == '{' {
			f.Fields = p.selection()
		}
		p.take(',')
		all = append(all, f)
	}
	return all
}

func (p *parser) arguments() map[string]any {
	args := map[string]any{}
	if !p.take('(') {
		return args
	}
	for p.err == nil && !p.take(')') {
		name := p.name()
		p.want(':')
		if v, given := p.value(); given {
			args[name] = v
		}
		p.take(',')
	}
	return args
}

// value reads a value; given is false for a variable without one.
func (p *parser) value() (v any, given bool) {
	switch p.token {
	case '$':
		p.next()
		name := p.name()
		if !p.declared[name] {
			p.fail(fmt.Errorf("variable %q is not declared", name))
		}
		v, given = p.variables[name]
		return v, given
	case '[':
		return p.list(), true
	case '{':
		return p.object(), true
	case '-':
		p.next()
		n, _ := p.scalar().(float64)
		return -n, true
	}
	return p.scalar(), true
}

func (p *parser) list() []any {
	list := []any{}
	p.want('[')
	for p.err == nil && !p.take(']') {
		if v, given := p.value(); given {
			list = append(list, v)
		}
		p.take(',')
	}
	return list
}

func (p *parser) object() map[string]any {
	object := map[string]any{}
	p.want('{')
	for p.err == nil && !p.take('}') {
		name := p.name()
		p.want(':')
		if v, given := p.value(); given {
			object[name] = v
		}
		p.take(',')
	}
	return object
}

func (p *parser) scalar() any {
	token, text := p.token, p.text
	p.next()
	switch token {
	case scanner.Int, scanner.Float:
		n, err := strconv.ParseFloat(text, 64)
		if err != nil {
			p.fail(err)
		}
		return n
	case scanner.String:
		var s string
		if err := json.Unmarshal([]byte(text), &s); err != nil {
			p.fail(err)
		}
		return s
	case scanner.Ident:
		switch text {
		case "true", "false":
			return text == "true"
		case "null":
			return nil
		}
		return Enum(text)
	}
	p.fail(fmt.Errorf("want a value, got %q", text))
	return nil
}
