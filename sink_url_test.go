package zapkafka

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

// parsedSink reads a URL as zap would hand it over.
func parsedSink(raw string, base *SinkOptions) (*sinkConfig, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return nil, fmt.Errorf("not a URL to Go: %w", err)
	}
	return parseSinkURL(u, base)
}

func mustParseSink(t *testing.T, raw string) *sinkConfig {
	t.Helper()
	c, err := parsedSink(raw, nil)
	if err != nil {
		t.Fatalf("%s: %v", raw, err)
	}
	return c
}

func TestSinkURL(t *testing.T) {
	t.Setenv("KAFKA_USER", "app")
	t.Setenv("KAFKA_PASSWORD", "right")
	c := mustParseSink(t, "kafka://b1:9092,b2:9092/app-logs?fallback=/var/log/app/kafka-fallback&buffer=33MiB&delivery_timeout=31s&tls=true&tls_ca=/ca.pem&sasl=SCRAM-sha-256")
	if got := fmt.Sprintln(c.Brokers, c.Topic, *c.TLS, *c.SASL, c.fallback); got != "[b1:9092 b2:9092] app-logs {/ca.pem  } SCRAM-SHA-256 as app /var/log/app/kafka-fallback\n" {
		t.Error(got)
	}
	if c.SASL.Password != "right" {
		t.Errorf("the password is %q", c.SASL.Password)
	}
	if o := c.options; o.BufferBytes != 33<<20 || o.DeliveryTimeout != 31*time.Second || o.SyncTimeout != 250*time.Millisecond {
		t.Errorf("%+v", o)
	}
}

func TestSinkURLBrokers(t *testing.T) {
	for raw, want := range map[string]string{
		"kafka://b1/t":                               "[b1]",
		"kafka://b1,b2/t":                            "[b1 b2]",
		"kafka://[::1]:9092/t":                       "[[::1]:9092]",
		"kafka:///t?brokers=[::1]:9092,[::2]":        "[[::1]:9092 [::2]]",
		"kafka:///t?brokers=b1:9092,b2":              "[b1:9092 b2]",
		"kafka:///t?brokers=b1:9092,+b2":             "[b1:9092 b2]",
		"kafka://b1:9092,b2:9093/t?linger=off":       "[b1:9092 b2:9093]",
		"kafka://B1.example.com:9092,10.0.0.1:9/t?a": "",
	} {
		sep := "&"
		if !strings.Contains(raw, "?") {
			sep = "?"
		}
		c, err := parsedSink(raw+sep+"fallback=stderr", nil)
		if want == "" {
			if err == nil {
				t.Errorf("%s: no error", raw)
			}
			continue
		}
		if err != nil || fmt.Sprint(c.Brokers) != want {
			t.Errorf("%s: %v, %v; want %s", raw, c, err, want)
		}
	}
}

func TestSinkURLErrors(t *testing.T) {
	for _, c := range []struct{ raw, want string }{
		{"kafka://b/t", "parameter fallback is missing: name the directory"},
		{"kafka://b/t?fallback=", "parameter fallback is empty: want a directory, stderr or stdout"},
		{"kafka://b/t?fallback=stderr&fallback_max=1GiB", "parameter fallback_max is for a directory, but fallback is stderr"},
		{"kafka://b?fallback=stderr", "the topic is missing: want kafka://"},
		{"kafka://b/?fallback=stderr", "the topic is missing: want kafka://"},
		{"kafka://b/a/b?fallback=stderr", `topic "a/b" contains '/', but Kafka allows only`},
		{"kafka://b/a%20b?fallback=stderr", `topic "a b" contains ' ', but Kafka allows only`},
		{"kafka://b/..?fallback=stderr", `topic ".." is not allowed by Kafka`},
		{"kafka://b/" + strings.Repeat("x", 250) + "?fallback=stderr", "has 250 characters, but Kafka allows 249"},
		{"kafka:///t?fallback=stderr", "the brokers are missing: want kafka://"},
		{"kafka:b/t?fallback=stderr", "two slashes are missing behind the scheme"},
		{"kafka://b/t?fallback=stderr&brokers=c", "parameter brokers is given, and brokers stand in front of the topic as well"},
		{"kafka://b,,c/t?fallback=stderr", "broker 2 of 3 is empty"},
		{"kafka://b/t?fallback=stderr#x", "there is a fragment"},
		{"kafka://b/t?fallback=stderr&buffer=32MiB&buffer=33MiB", "parameter buffer is there more than once"},
		{"kafka://b/t?fallback=stderr&buffer=32MB", `parameter buffer is "32MB": want bytes, also in KiB, MiB or GiB, such as 32MiB`},
		{"kafka://b/t?fallback=stderr&buffer=1e9", `parameter buffer is "1e9": want`},
		{"kafka://b/t?fallback=stderr&buffer=99999999999TiB", "parameter buffer is"},
		{"kafka://b/t?fallback=stderr&buffer=0", `parameter buffer is "0", but must be positive; without the parameter the default holds`},
		{"kafka://b/t?fallback=stderr&buffer=off", `parameter buffer is "off": want bytes`},
		{"kafka://b/t?fallback=stderr&buffer=1MiB", "parameter buffer: BufferBytes is 1048576, but must be"},
		{"kafka://b/t?fallback=stderr&linger=1m", "parameter linger: Linger is 1m0s, but must be at most a quarter of DeliveryTimeout"},
		{"kafka://b/t?fallback=stderr&linger=-1s", `parameter linger is "-1s", but must be positive, or off`},
		{"kafka://b/t?fallback=stderr&linger=0", `parameter linger is "0", but must be positive, or off`},
		{"kafka://b/t?fallback=stderr&delivery_timeout=30", `parameter delivery_timeout is "30": want a time with its unit, such as 30s`},
		{"kafka://b/t?fallback=stderr&id_header=yes", `parameter id_header is "yes": want true or false`},
		{"kafka://b/t?fallback=stderr&replay_rate=1.5", `parameter replay_rate is "1.5": want a number, or off`},
		{"kafka://b/t?fallback=stderr&replay_rate=%zz", "parameter replay_rate is not encoded as in a URL"},
		{"kafka://b/t?fallback=stderr&%zz=1", "the name of a parameter is not encoded as in a URL"},
		{"kafka://b/t?fallback=stderr&buffer", "parameter buffer is empty: want bytes, also in KiB, MiB or GiB, such as buffer=128MiB"},
		{"kafka://b/t?fallback=stderr&deliverytimeout=1s", "parameter deliverytimeout is not known: did you mean delivery_timeout?"},
		{"kafka://b/t?fallback=stderr&delivery_timout=1s", "did you mean delivery_timeout?"},
		{"kafka://b/t?fallback=stderr&Buffer=1s", "did you mean buffer?"},
		{"kafka://b/t?fallback=stderr&BufferBytes=1s", "did you mean buffer?"},
		{"kafka://b/t?fallback=stderr&max-entry-bytes=1s", "did you mean max_entry?"},
		{"kafka://b/t?fallback=stderr&topic=t", "parameter topic is not known: the topic is the path of the URL"},
		{"kafka://b/t?fallback=stderr&colour=red", "parameter colour is not known: the documentation of zapkafka.RegisterSink lists"},
		{"kafka://b/t?fallback=stderr&tls_ca=/x", "parameters tls_ca, tls_cert and tls_key need tls=true"},
		{"kafka://b/t?fallback=stderr&tls=true&tls_key=/x", "of parameters tls_cert and tls_key one is missing"},
		{"kafka://b/t?fallback=stderr&tls=true&tls_cert=/x", "of parameters tls_cert and tls_key one is missing"},
		{"kafka://b/t?fallback=stderr&sasl_env=X", "parameter sasl_env needs sasl"},
		{"kafka://b/t?fallback=stderr&sasl=kerberos", `parameter sasl is "kerberos": want plain, scram-sha-256 or scram-sha-512`},
		{"kafka://b/t?fallback=stderr&sasl=plain", "parameter sasl is plain, which sends the password as it is: add tls=true"},
		{"kafka://b/t?fallback=stderr&sasl=scram-sha-256&sasl_env=ZK_NONE", "needs the user in the environment variable ZK_NONE_USER, which is empty or not set"},
		{"kafka://b/t?fallback=stderr&sasl=scram-sha-256&sasl_env=ZK_NONE", "needs the password in the environment variable ZK_NONE_PASSWORD, which is empty or not set"},
		// All at once.
		{"kafka://b?buffer=x&linger=y", "the topic is missing"},
		{"kafka://b?buffer=x&linger=y", "parameter linger is"},
	} {
		_, err := parsedSink(c.raw, nil)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s\n got %v\nwant %s", c.raw, err, c.want)
		} else if !strings.HasPrefix(err.Error(), "zapkafka: sink URL: ") {
			t.Errorf("%s: the error does not say where it comes from: %v", c.raw, err)
		}
	}
}

// Wherever a password came to stand, the error says so, and not what it is.
func TestSinkURLCredentials(t *testing.T) {
	for _, raw := range []string{
		"kafka://app:hunter2@b:9092/t?fallback=stderr",
		"kafka://app@b:9092/t?fallback=stderr",
		"kafka://app:12/hunter2@b:9092/t?fallback=stderr",
		"kafka://app:12?hunter2@b:9092/t?fallback=stderr",
		"kafka:app:hunter2@b:9092/t?fallback=stderr",
		"kafka:///t?brokers=app:hunter2@b:9092&fallback=stderr",
		"kafka://b/t?fallback=stderr&password=hunter2",
		"kafka://b/t?fallback=stderr&password=x&hunter2",
		"kafka://b/t?fallback=stderr&password%3Dhunter2",
		"kafka://b/t?fallback=/f?password=hunter2",
		"kafka://b/t?fallback=stderr&Password=hunter2",
		"kafka://b/t?fallback=stderr&sasl.password=hunter2",
		"kafka://b/t?fallback=stderr&sasl_password=hunter2",
		"kafka://b/t?fallback=stderr&password=%zzhunter2",
		"kafka://b/t?fallback=stderr&user=hunter2",
		"kafka://b/t?fallback=stderr&sasl.username=hunter2",
		"kafka://b/t?fallback=stderr&ssl.key.passphrase=hunter2",
		"kafka://b/t?fallback=stderr&token=hunter2",
		"kafka://b/t?fallback=stderr&sasl.jaas.config=hunter2",
	} {
		_, err := parsedSink(raw, nil)
		switch {
		case err == nil || !strings.Contains(err.Error(), "it holds credentials"):
			t.Errorf("%s: %v", raw, err)
		case strings.Contains(err.Error(), "hunter2"):
			t.Errorf("the error shows the secret: %v", err)
		}
	}
	_, err := parsedSink("kafka://b/t?sasl.password=hunter2&user=app", nil)
	for _, want := range []string{"parameter sasl.password", "parameter user", "APP_KAFKA_PASSWORD"} {
		if !strings.Contains(fmt.Sprint(err), want) {
			t.Errorf("%v does not mention %s", err, want)
		}
	}
	// Values that are no URL's, without a credential being recognised.
	for _, raw := range []string{
		"kafka://b/t?fallback=stderr&buffer=?pw=hunter2",
		"kafka://b/t?fallback=stderr&sasl=app:hunter2@b",
		"kafka://b/t?fallback=stderr&sasl=scram-sha-256&sasl_env=X=hunter2",
		"kafka://b/t%3Fpw=hunter2?fallback=stderr",
	} {
		if _, err := parsedSink(raw, nil); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", raw, err)
		}
	}
	if got := fmt.Sprintf("%v %+v", SinkSASL{"PLAIN", "app", "hunter2"}, SinkSASL{"PLAIN", "app", "hunter2"}); got != "PLAIN as app PLAIN as app" {
		t.Error(got)
	}
}

// fieldOf returns the field that a parameter names.
func fieldOf(t *testing.T, c *sinkConfig, path string) reflect.Value {
	t.Helper()
	root, rest, _ := strings.Cut(path, ".")
	var v reflect.Value
	switch root {
	case "Options":
		v = reflect.ValueOf(&c.options).Elem()
	case "FallbackOptions":
		v = reflect.ValueOf(&c.fallbackOptions).Elem()
	default:
		t.Fatalf("no such struct: %s", path)
	}
	for _, name := range strings.Split(rest, ".") {
		if v = v.FieldByName(name); !v.IsValid() {
			t.Fatalf("no such field: %s", path)
		}
	}
	return v
}

// optionFields returns the paths of all fields that are an option.
func optionFields(prefix string, typ reflect.Type) (paths []string) {
	for i := 0; i < typ.NumField(); i++ {
		f := typ.Field(i)
		if f.Type == reflect.TypeOf(ReplayOptions{}) {
			paths = append(paths, optionFields(prefix+"."+f.Name, f.Type)...)
			continue
		}
		paths = append(paths, prefix+"."+f.Name)
	}
	return paths
}

// Every option has its parameter, or a reason why it has none.
func TestSinkParametersCoverOptions(t *testing.T) {
	has := map[string]bool{}
	for _, p := range sinkParameters {
		if has[p.field] {
			t.Errorf("two parameters set %s", p.field)
		}
		has[p.field] = true
	}
	all := append(optionFields("Options", reflect.TypeOf(Options{})), optionFields("FallbackOptions", reflect.TypeOf(FallbackOptions{}))...)
	known := map[string]bool{}
	for _, path := range all {
		known[path] = true
		if _, codeOnly := sinkCodeOnly[path]; has[path] == codeOnly {
			t.Errorf("%s: it must have a parameter in sinkParameters, or else stand in sinkCodeOnly with the reason", path)
		}
	}
	for path := range sinkCodeOnly {
		if !known[path] {
			t.Errorf("sinkCodeOnly has %s, which is no field", path)
		}
	}
	for path := range has {
		if strings.HasPrefix(path, "Options.") || strings.HasPrefix(path, "FallbackOptions.") {
			if !known[path] {
				t.Errorf("sinkParameters has %s, which is no field", path)
			}
		}
	}
}

// The example of each parameter is taken, and sets the field that it is for and
// no other; its default is the field's.
func TestSinkParameterExamples(t *testing.T) {
	t.Setenv("KAFKA_USER", "app")
	t.Setenv("KAFKA_PASSWORD", "right")
	t.Setenv("APP_KAFKA_USER", "app")
	t.Setenv("APP_KAFKA_PASSWORD", "right")
	const plain = "kafka://b/t?fallback=/f"
	defaults, err := (&Options{SyncTimeout: sinkSyncTimeout}).withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	full := sinkConfig{options: *defaults, fallbackOptions: FallbackOptions{MaxBytes: DefaultFallbackBytes, SegmentBytes: 64 << 20}}
	for _, p := range sinkParameters {
		c := &sinkConfig{}
		if err := p.set(c, p.example); err != nil {
			t.Errorf("%s=%s: %v", p.name, p.example, err)
			continue
		}
		if reflect.DeepEqual(c, &sinkConfig{}) {
			t.Errorf("%s=%s changes nothing", p.name, p.example)
		}
		if !strings.Contains(p.field, "Options.") {
			continue // TestSinkURL
		}
		fieldOf(t, c, p.field).Set(reflect.Zero(fieldOf(t, c, p.field).Type()))
		if !reflect.DeepEqual(c, &sinkConfig{}) {
			t.Errorf("%s=%s changes more than %s: %+v", p.name, p.example, p.field, c)
		}
		if _, err := parsedSink(plain+"&"+p.name+"="+p.example, nil); err != nil {
			t.Error(err)
		}
		if p.byDefault == "on Sync only" {
			continue
		}
		if err := p.set(c, p.byDefault); err != nil {
			t.Errorf("the default of %s is said to be %s: %v", p.name, p.byDefault, err)
		} else if got, want := fieldOf(t, c, p.field).Interface(), fieldOf(t, &full, p.field).Interface(); got != want {
			t.Errorf("the default of %s is said to be %s, but is %v", p.name, p.byDefault, want)
		}
	}
}

func TestSinkParameterOff(t *testing.T) {
	c := mustParseSink(t, "kafka://b/t?fallback=/f&linger=off&max_wait=off&outage_after=off&replay_rate=off&fallback_max=off&fallback_fsync_after=at_once")
	if o, f := c.options, c.fallbackOptions; o.Linger >= 0 || o.MaxWait >= 0 || o.OutageAfter >= 0 || o.Replay.Rate >= 0 || f.MaxBytes >= 0 || f.FsyncAfter != FsyncAtOnce {
		t.Errorf("%+v %+v", o, f)
	}
}

// What a URL does not say is as in the options of RegisterSink.
func TestSinkURLBase(t *testing.T) {
	base := &SinkOptions{
		Options:  Options{SyncTimeout: time.Second, Linger: time.Millisecond, IDHeader: true, ErrorHandler: func(error) {}},
		Fallback: FallbackOptions{KeepNewest: true, MaxBytes: 1 << 30},
	}
	c, err := parsedSink("kafka://b/t?fallback=/f&linger=2ms&id_header=false&fallback_max=2GiB", base)
	if err != nil {
		t.Fatal(err)
	}
	o, f := c.options, c.fallbackOptions
	if o.SyncTimeout != time.Second || o.Linger != 2*time.Millisecond || o.IDHeader || o.ErrorHandler == nil || !f.KeepNewest || f.MaxBytes != 2<<30 {
		t.Errorf("%+v %+v", o, f)
	}
}

// The table of the README says what the code does: same parameters, same order.
func TestSinkParameterTable(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	var want strings.Builder
	for _, p := range sinkParameters {
		fmt.Fprintf(&want, "| `%s` | `%s` | %s | %s | `%s` |\n", p.name, p.field, p.kind, p.byDefault, p.name+"="+p.example)
	}
	_, table, ok := strings.Cut(strings.ReplaceAll(string(readme), "\r", ""), "| parameter | sets | value | default | example |\n|---|---|---|---|---|\n")
	if table, _, _ = strings.Cut(table, "\n\n"); !ok || table+"\n" != want.String() {
		t.Errorf("the README's table of parameters differs. want:\n%s", want.String())
	}
	for path := range sinkCodeOnly {
		if name := strings.TrimPrefix(path, "Options."); !strings.Contains(string(readme), "`"+name+"`") {
			t.Errorf("the README does not mention %s", path)
		}
	}
}

func TestSinkURLIdentity(t *testing.T) {
	dir := t.TempDir()
	link := filepath.Join(dir, "link")
	if err := os.Symlink(dir, link); err != nil {
		link = dir // a system without
	}
	same := func(a, b string) bool { return mustParseSink(t, a).identity == mustParseSink(t, b).identity }
	one := "kafka://b1,b2/t?tls=true&linger=1ms&fallback=" + filepath.ToSlash(dir) + "/new/f"
	if other := "kafka:///t?linger=1ms&brokers=b1,b2&fallback=" + filepath.ToSlash(link) + "/./new/f&tls=true"; !same(one, other) {
		t.Errorf("%s is not the same as %s", one, other)
	}
	for _, other := range []string{
		strings.Replace(one, "b2", "b3", 1), strings.Replace(one, "/t?", "/u?", 1), strings.Replace(one, "1ms", "2ms", 1),
		strings.Replace(one, "tls=true&", "", 1), one + "2",
	} {
		if same(one, other) {
			t.Errorf("%s is the same as %s", one, other)
		}
	}
}

func FuzzSinkURL(f *testing.F) {
	for _, p := range sinkParameters {
		f.Add("kafka://b/t?fallback=stderr&", p.name+"="+p.example)
	}
	f.Add("kafka://b/t?", "fallback=/f&brokers=[::1]:9,b&buffer=0&buffer=%zz")
	f.Add("kafka:", "x#y&linger=")
	f.Add("kafka://b/t?sasl=", "&fallback=stderr")
	f.Add("kafka://b/", "?fallback=%2")
	const secret = "hUnTeR2zK9"
	f.Fuzz(func(t *testing.T, before, after string) {
		for _, raw := range []string{
			before + after,
			before + "app:" + secret + "@" + after,
			before + "?password=" + secret + after,
			before + "&password=" + secret + "&" + after,
			before + "&sasl.password=" + secret + after,
		} {
			u, err := url.Parse(raw)
			if err != nil {
				continue // zap's to report
			}
			c, err := parseSinkURL(u, nil)
			if err != nil {
				if strings.Contains(err.Error(), secret) && !strings.Contains(before+after, secret) {
					t.Fatalf("%q: the error shows the secret: %v", raw, err)
				}
				continue
			}
			if len(c.Brokers) == 0 || c.Topic == "" || c.fallback == "" {
				t.Fatalf("%q: %+v", raw, c)
			}
			if _, err := c.options.withDefaults(); err != nil {
				t.Fatalf("%q: %v", raw, err)
			}
		}
	})
}
