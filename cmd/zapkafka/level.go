package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"sort"
	"strings"
	"text/tabwriter"
	"time"

	"go.uber.org/zap/zapcore"

	"github.com/zapkafka/zapkafka/levelhttp"
)

// levelToken is the environment variable with the token for the handler.
const levelToken = "ZAPKAFKA_LEVEL_TOKEN"

type levelCommand struct {
	Get   levelGetCommand   `cmd:"" help:"Print the levels in force."`
	Set   levelSetCommand   `cmd:"" help:"Set the level of all, or of loggers by name, for good or for a time."`
	Reset levelResetCommand `cmd:"" help:"Take the level of a name away, or bring that of all back to the program's."`
}

// levelServer is the flags of every level command.
type levelServer struct {
	URL     string        `name:"url" env:"ZAPKAFKA_LEVEL_URL" required:"" placeholder:"URL" help:"Address of the program's levelhttp handler, such as http://localhost:8080/log/level."`
	Timeout time.Duration `name:"timeout" default:"10s" help:"Longest wait for an answer."`
	JSON    bool          `name:"json" help:"Print JSON, as the handler gives it."`
}

const levelHelp = `
The program has to serve its levels with the package levelhttp. If it wants a
token ("Authorization: Bearer ..."), put it into ` + levelToken + `.
The exit status is 1 if the program could not be reached or refused.`

type levelGetCommand struct{ levelServer }

func (*levelGetCommand) Help() string {
	return `Examples:

  zapkafka level get --url http://localhost:8080/log/level
  ZAPKAFKA_LEVEL_URL=http://localhost:8080/log/level zapkafka level get --json
` + levelHelp
}

func (g *levelGetCommand) Run(ctx context.Context, c *console) error {
	if err := g.check(); err != nil {
		return err
	}
	state, _, err := g.ask(ctx, nil)
	if err != nil {
		return err
	}
	return g.show(c, state)
}

type levelSetCommand struct {
	levelServer
	For    time.Duration `name:"for" help:"Go back after this time, such as 10m, by itself. Default: it stays."`
	Levels []string      `arg:"" name:"level" help:"A level for all, such as debug, or for a name, such as db=debug; several may be given."`
}

func (*levelSetCommand) Help() string {
	return `Examples:

  zapkafka level set db=debug --for 10m
  zapkafka level set warn db=debug db.pool=info

What is set for db goes for db.pool too, unless that has a level of its own. The
levels are debug, info, warn, error, dpanic, panic and fatal.
` + levelHelp
}

func (s *levelSetCommand) Run(ctx context.Context, c *console) error {
	if err := s.check(); err != nil {
		return err
	}
	if s.For < 0 {
		return badUsage("--for is %v: use a time above 0, such as 10m", s.For)
	}
	var changes []levelhttp.Change
	for _, arg := range s.Levels {
		for _, part := range strings.Split(arg, ",") {
			change, err := parseChange(part)
			if err != nil {
				return err
			}
			if s.For > 0 {
				change.For = s.For.String()
			}
			changes = append(changes, change)
		}
	}
	return s.do(ctx, c, changes)
}

// parseChange reads debug or db=debug.
func parseChange(part string) (levelhttp.Change, error) {
	name, word, named := strings.Cut(part, "=")
	if !named {
		name, word = "", name
	} else if name == "" {
		return levelhttp.Change{}, badUsage("%q has no name before the equals sign: write db=debug, or debug alone for all", part)
	}
	level, err := zapcore.ParseLevel(word)
	if err != nil || word == "" {
		return levelhttp.Change{}, badUsage("%q is not a level: use debug, info, warn, error, dpanic, panic or fatal", word)
	}
	return levelhttp.Change{Logger: name, Level: level.String()}, nil
}

type levelResetCommand struct {
	levelServer
	All   bool     `name:"all" help:"Bring the level of all back to the one that the program began with."`
	Names []string `arg:"" name:"name" optional:"" help:"Names whose level is taken away."`
}

func (*levelResetCommand) Help() string {
	return `Examples:

  zapkafka level reset db http
  zapkafka level reset --all
` + levelHelp
}

func (r *levelResetCommand) Run(ctx context.Context, c *console) error {
	if err := r.check(); err != nil {
		return err
	}
	var changes []levelhttp.Change
	for _, name := range r.Names {
		if name == "" {
			return badUsage("a name is empty: use --all for the level of all")
		}
		changes = append(changes, levelhttp.Change{Logger: name, Reset: true})
	}
	if r.All {
		changes = append(changes, levelhttp.Change{Reset: true})
	}
	if len(changes) == 0 {
		return badUsage("nothing to reset: give names, or --all for the level of all")
	}
	return r.do(ctx, c, changes)
}

// do makes changes one after the other. The first that fails ends it.
func (s *levelServer) do(ctx context.Context, c *console, changes []levelhttp.Change) error {
	// zap's own handler, and any other, would take a name for nothing, and set
	// the level of all.
	if _, ours, err := s.ask(ctx, nil); err != nil {
		return err
	} else if !ours {
		return fmt.Errorf("what answers at %s is not a levelhttp handler: nothing was changed (zap's own handler takes {\"level\":\"debug\"} by PUT)", s.where())
	}
	var state json.RawMessage
	for i := range changes {
		var err error
		if state, _, err = s.ask(ctx, &changes[i]); err != nil {
			if i > 0 {
				err = fmt.Errorf("%w (the %d before it were made)", err, i)
			}
			return err
		}
	}
	return s.show(c, state)
}

// where is the address without what may be a secret.
func (s *levelServer) where() string {
	u, err := url.Parse(s.URL)
	if err != nil {
		return "the address"
	}
	return u.Scheme + "://" + u.Host + u.Path
}

func (s *levelServer) check() error {
	u, err := url.Parse(s.URL)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		return badUsage("--url is no address of a handler: it looks like http://localhost:8080/log/level")
	case u.User != nil:
		return badUsage("--url has a user in it, which everybody sees in the list of processes: put a token into %s", levelToken)
	case s.Timeout <= 0:
		return badUsage("--timeout is %v: use a time above 0, such as 10s", s.Timeout)
	}
	return nil
}

// maxAnswer bounds what is read of an answer, in bytes: a thousand names fit.
const maxAnswer = 1 << 20

// ask sends a change, or asks for what is in force. ours says that a levelhttp
// handler has answered.
func (s *levelServer) ask(ctx context.Context, change *levelhttp.Change) (state json.RawMessage, ours bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, s.Timeout)
	defer cancel()
	method, body := http.MethodGet, io.Reader(nil)
	if change != nil {
		text, err := json.Marshal(change)
		if err != nil {
			return nil, false, err
		}
		method, body = http.MethodPut, bytes.NewReader(text)
	}
	r, err := http.NewRequestWithContext(ctx, method, s.URL, body)
	if err != nil {
		return nil, false, badUsage("--url: %w", err)
	}
	r.Header.Set("Content-Type", "application/json")
	if token := os.Getenv(levelToken); token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	transport := &http.Transport{Proxy: http.ProxyFromEnvironment}
	defer transport.CloseIdleConnections()
	client := http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse // the token is for this address
	}}
	resp, err := client.Do(r)
	if err != nil {
		if ctx.Err() == context.DeadlineExceeded {
			return nil, false, fmt.Errorf("no answer from %s within %v", s.where(), s.Timeout)
		}
		return nil, false, fmt.Errorf("ask %s: %w", s.where(), withoutURL(err))
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return nil, false, fmt.Errorf("read the answer of %s: %w", s.where(), err)
	}
	return text, resp.Header.Get(levelhttp.Header) != "", s.verdict(resp, text)
}

// verdict is the error that an answer means.
func (s *levelServer) verdict(resp *http.Response, text []byte) error {
	var refused levelhttp.Error
	switch {
	case resp.StatusCode == http.StatusOK && json.Valid(text):
		return nil
	case resp.StatusCode == http.StatusOK:
		return fmt.Errorf("%s answers with something that is no JSON: is it the address of the handler?", s.where())
	case resp.StatusCode == http.StatusUnauthorized || resp.StatusCode == http.StatusForbidden:
		return fmt.Errorf("%s answers %s: put the token into %s", s.where(), resp.Status, levelToken)
	case json.Unmarshal(text, &refused) == nil && refused.Error != "":
		return fmt.Errorf("refused: %s", printable(refused.Error))
	case resp.Header.Get("Location") != "":
		return fmt.Errorf("%s answers %s to %s: use that address", s.where(), resp.Status, printable(resp.Header.Get("Location")))
	}
	return fmt.Errorf("%s answers %s", s.where(), resp.Status)
}

// withoutURL is the cause of an error of http.Client, which names the URL itself.
func withoutURL(err error) error {
	var e *url.Error
	if errors.As(err, &e) {
		return e.Err
	}
	return err
}

func (s *levelServer) show(c *console, state json.RawMessage) error {
	if s.JSON {
		return c.sayJSON(state)
	}
	var levels levelhttp.State
	if err := json.Unmarshal(state, &levels); err != nil || levels.Level == "" {
		return fmt.Errorf("%s answers with something that is not levels: is it the address of the handler?", s.where())
	}
	names := make([]string, 0, len(levels.Loggers))
	for name := range levels.Loggers {
		names = append(names, name)
	}
	sort.Strings(names)
	w := tabwriter.NewWriter(c.out, 0, 0, 2, ' ', 0)
	line := func(name string, l levelhttp.Setting) {
		rest := ""
		if l.Until != "" {
			rest = fmt.Sprintf("until %s, then %s", l.Until, l.Then)
		}
		_, _ = fmt.Fprintln(w, strings.TrimRight(printable(name+"\t"+l.Level+"\t"+rest), "\t "))
	}
	line("(all)", levels.Setting)
	for _, name := range names {
		line(name, levels.Loggers[name])
	}
	return w.Flush()
}

// printable keeps an answer from steering the terminal.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\t' || r == 0x7f {
			return '?'
		}
		return r
	}, text)
}
