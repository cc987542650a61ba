package logstash

import (
	"fmt"
	"regexp"
)

// Config is a pipeline: its three sections.
type Config struct{ Input, Filter, Output []Step }

// Step is a plugin with its settings, or a condition with what depends on it.
type Step struct {
	Plugin   string
	Settings map[string]any // a string, a list of them, or pairs of them

	If   string // the condition, for a step that is none of a plugin
	Then []Step
	Else []Step
}

// Parse reads a configuration.
func Parse(text string) (c Config, err error) {
	p := parser{tokens: tokens(text)}
	defer func() {
		if r := recover(); r != nil {
			e, ok := r.(syntaxError)
			if !ok {
				panic(r)
			}
			err = e
		}
	}()
	for p.peek() != "" {
		switch section := p.next(); section {
		case "input":
			c.Input = p.steps()
		case "filter":
			c.Filter = p.steps()
		case "output":
			c.Output = p.steps()
		default:
			p.fail("a section", section)
		}
	}
	return c, nil
}

// token is a comment, a text in quotes, a field, an arrow, a word, or one character.
var token = regexp.MustCompile(`#[^\n]*|"[^"]*"|(\[[@\w-]+\])+|=>|[\w.-]+|[^\s]`)

func tokens(text string) []string {
	var all []string
	for _, t := range token.FindAllString(text, -1) {
		if t[0] != '#' {
			all = append(all, t)
		}
	}
	return all
}

type syntaxError struct{ error }

type parser struct{ tokens []string }

func (p *parser) fail(want, got string) {
	panic(syntaxError{fmt.Errorf("logstash: %q where %s is expected, before %.60q", got, want, p.tokens)})
}

func (p *parser) peek() string {
	if len(p.tokens) == 0 {
		return ""
	}
	return p.tokens[0]
}

func (p *parser) next() string {
	t := p.peek()
	if t == "" {
		p.fail("more", "the end")
	}
	p.tokens = p.tokens[1:]
	return t
}

func (p *parser) want(t string) {
	if got := p.next(); got != t {
		p.fail(t, got)
	}
}

// steps reads what is between braces.
func (p *parser) steps() []Step {
	var all []Step
	p.want("{")
	for p.peek() != "}" {
		if p.peek() == "if" {
			all = append(all, p.condition())
			continue
		}
		s := Step{Plugin: p.next(), Settings: map[string]any{}}
		p.want("{")
		for p.peek() != "}" {
			key := p.next()
			p.want("=>")
			s.Settings[key] = p.value()
		}
		p.want("}")
		all = append(all, s)
	}
	p.want("}")
	return all
}

func (p *parser) condition() Step {
	s := Step{}
	for p.want("if"); p.peek() != "{"; {
		if s.If != "" {
			s.If += " "
		}
		s.If += p.next()
	}
	s.Then = p.steps()
	if p.peek() != "else" {
		return s
	}
	p.want("else")
	if p.peek() == "if" {
		s.Else = []Step{p.condition()}
	} else {
		s.Else = p.steps()
	}
	return s
}

func (p *parser) value() any {
	switch t := p.next(); t {
	case "[":
		var list []string
		for p.peek() != "]" {
			list = append(list, p.text())
			if p.peek() == "," {
				p.next()
			}
		}
		p.want("]")
		return list
	case "{":
		pairs := map[string]string{}
		for p.peek() != "}" {
			key := p.text()
			p.want("=>")
			pairs[key] = p.text()
		}
		p.want("}")
		return pairs
	default:
		return unquoted(t)
	}
}

func (p *parser) text() string {
	t := p.next()
	if t[0] != '"' {
		p.fail("a text in quotes", t)
	}
	return unquoted(t)
}

func unquoted(t string) string {
	if len(t) > 1 && t[0] == '"' {
		return t[1 : len(t)-1]
	}
	return t
}
