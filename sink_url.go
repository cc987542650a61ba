package zapkafka

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"github.com/zapkafka/zapkafka/internal/spelling"
)

// SinkURL is what the URL of a sink says to the client: see [RegisterSink]. The
// slice and what is pointed to are the receiver's.
type SinkURL struct {
	// Brokers are the addresses, at least one, as they stand in the URL. None
	// holds a user or a password.
	Brokers []string
	// Topic is the topic of the log. A [Producer] need not care: each record has
	// its own.
	Topic string
	// TLS is how to encrypt; nil: not at all.
	TLS *SinkTLS
	// SASL is how to log in; nil: not at all.
	SASL *SinkSASL
}

// SinkTLS is what a URL says about TLS. The zero value is TLS with the system's
// certificate authorities and without a certificate of the program's own.
type SinkTLS struct {
	// CAFile is a file of certificates in PEM, which are trusted instead of the
	// system's; "" if there is none.
	CAFile string
	// CertFile and KeyFile are the program's own certificate and its key, in PEM;
	// either both or none.
	CertFile, KeyFile string
}

// Config reads the files. The error names the parameter and the file.
func (t *SinkTLS) Config() (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if t.CAFile != "" {
		pem, err := os.ReadFile(t.CAFile)
		if err != nil {
			return nil, fmt.Errorf("tls_ca: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("tls_ca: %s holds no certificate in PEM", t.CAFile)
		}
	}
	if t.CertFile != "" {
		own, err := tls.LoadX509KeyPair(t.CertFile, t.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("tls_cert and tls_key: %w", err)
		}
		config.Certificates = []tls.Certificate{own}
	}
	return config, nil
}

// SinkSASL is what a URL says about the login, with the credentials that were in
// the environment.
type SinkSASL struct {
	// Mechanism is "PLAIN", "SCRAM-SHA-256" or "SCRAM-SHA-512". PLAIN comes with
	// TLS only.
	Mechanism string
	// User and Password are from the environment, neither is empty.
	User, Password string
}

// String leaves the password out, so that printing the value does not show it.
func (s SinkSASL) String() string { return s.Mechanism + " as " + s.User }

// sinkConfig is a URL that was read.
type sinkConfig struct {
	SinkURL
	options         Options
	fallbackOptions FallbackOptions
	// fallback is "stderr" or "stdout", or else dir is a directory.
	fallback string
	dir      string
	// identity is equal for URLs that mean the same.
	identity string

	// As they stand in the URL, for what depends on several of them.
	brokers, sasl, saslEnv string
	tls                    bool
	tlsFiles               SinkTLS
}

// pair is one parameter of a URL, decoded.
type pair struct{ name, value string }

// parseSinkURL reads a URL. base is what holds for what the URL does not say. The
// error names every parameter that is wrong, but no value that might be a
// secret: those of parameters which there are, and only what cannot be part of a
// password that went astray.
func parseSinkURL(u *url.URL, base *SinkOptions) (*sinkConfig, error) {
	c := &sinkConfig{}
	if base != nil {
		c.options, c.fallbackOptions = base.Options, base.Fallback
	}
	if c.options.SyncTimeout == 0 {
		c.options.SyncTimeout = sinkSyncTimeout
	}
	pairs, errs := queryPairs(u.RawQuery)
	// Nothing else is said of a URL with credentials in it: a password with a
	// "/", "?" or "&" in it is anywhere.
	if err := credentialsIn(u, pairs); err != nil {
		return nil, fmt.Errorf("zapkafka: sink URL: %w", err)
	}
	errs = append(errs, c.setPairs(pairs)...)
	errs = append(errs, c.setAddress(u)...)
	errs = append(errs, c.setSecurity()...)
	errs = append(errs, c.setFallback(pairs)...)
	if _, err := c.options.withDefaults(); err != nil {
		errs = append(errs, byParameter(err)...)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("zapkafka: sink URL: %w", err)
	}
	c.identity = c.identify(pairs)
	return c, nil
}

// queryPairs cuts a query into its parameters. (url.ParseQuery's errors show
// what they could not read.)
func queryPairs(query string) (pairs []pair, errs []error) {
	for _, part := range strings.Split(query, "&") {
		if part == "" {
			continue
		}
		name, value, _ := strings.Cut(part, "=")
		decoded, err := url.QueryUnescape(name)
		if err != nil {
			pairs = append(pairs, pair{name: name}) // for credentialsIn
			errs = append(errs, errors.New("the name of a parameter is not encoded as in a URL: a % is written as %25"))
			continue
		}
		text, err := url.QueryUnescape(value)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s is not encoded as in a URL: a %% is written as %%25", parameterName(decoded)))
		}
		pairs = append(pairs, pair{decoded, text})
	}
	return pairs, errs
}

// setPairs sets what the parameters say.
func (c *sinkConfig) setPairs(pairs []pair) (errs []error) {
	seen := make(map[string]int, len(pairs))
	for _, p := range pairs {
		seen[p.name]++
		switch parameter := sinkParameterNamed(p.name); {
		case seen[p.name] == 2:
			errs = append(errs, fmt.Errorf("%s is there more than once: leave it once", parameterName(p.name)))
		case seen[p.name] > 2:
		case parameter == nil:
			errs = append(errs, unknownParameter(p.name))
		case p.value == "":
			errs = append(errs, fmt.Errorf("%s is empty: want %s, such as %s=%s", parameterName(p.name), parameter.kind, p.name, parameter.example))
		default:
			if err := parameter.set(c, p.value); err != nil {
				errs = append(errs, fmt.Errorf("%s %w", parameterName(p.name), err))
			}
		}
	}
	return errs
}

// setAddress finds brokers and topic.
func (c *sinkConfig) setAddress(u *url.URL) (errs []error) {
	const want = "want " + sinkURLShape
	if u.Opaque != "" {
		return []error{errors.New("two slashes are missing behind the scheme: " + want)}
	}
	if u.Fragment != "" || u.RawFragment != "" {
		errs = append(errs, errors.New("there is a fragment, which means nothing here: a # in a value is written as %23"))
	}
	list := c.brokers
	switch {
	case u.Host != "" && c.brokers != "":
		errs = append(errs, errors.New("parameter brokers is given, and brokers stand in front of the topic as well: leave one of the two out"))
	case u.Host != "":
		list = u.Host
	case c.brokers == "":
		errs = append(errs, errors.New("the brokers are missing: "+want+", or with the parameter brokers"))
	}
	if list != "" {
		c.Brokers = strings.Split(list, ",")
		for i, b := range c.Brokers {
			if c.Brokers[i] = strings.TrimSpace(b); c.Brokers[i] == "" {
				errs = append(errs, fmt.Errorf("broker %d of %d is empty: leave one comma out", i+1, len(c.Brokers)))
			}
		}
	}
	switch c.Topic = strings.TrimPrefix(u.Path, "/"); {
	case c.Topic == "":
		errs = append(errs, errors.New("the topic is missing: "+want))
	case strings.ContainsAny(c.Topic, suspicious):
		errs = append(errs, errors.New("the topic, which is the path of the URL, may have letters, digits, '.', '_' and '-' only"))
	default:
		if err := checkTopic(c.Topic); err != nil {
			errs = append(errs, err)
		}
	}
	return errs
}

const sinkURLShape = "kafka://host:9092,host:9092/topic?fallback=/var/lib/app/kafka-fallback"

// setSecurity makes of the parameters for TLS and SASL what an adaptor needs.
func (c *sinkConfig) setSecurity() (errs []error) {
	files := &c.tlsFiles
	switch {
	case c.tls:
		if (files.CertFile == "") != (files.KeyFile == "") {
			errs = append(errs, errors.New("of parameters tls_cert and tls_key one is missing: a certificate and its key belong together"))
		}
		c.TLS = files
	case *files != SinkTLS{}:
		errs = append(errs, errors.New("parameters tls_ca, tls_cert and tls_key need tls=true"))
	}
	if c.sasl == "" {
		if c.saslEnv != "" {
			errs = append(errs, errors.New("parameter sasl_env needs sasl, such as sasl=scram-sha-512"))
		}
		return errs
	}
	if c.sasl == "PLAIN" && !c.tls {
		errs = append(errs, errors.New("parameter sasl is plain, which sends the password as it is: add tls=true, or take scram-sha-512"))
	}
	prefix := c.saslEnv
	if prefix == "" {
		prefix = defaultSASLEnv
	}
	c.SASL = &SinkSASL{Mechanism: c.sasl}
	for _, of := range []struct {
		what, name string
		to         *string
	}{{"user", prefix + "_USER", &c.SASL.User}, {"password", prefix + "_PASSWORD", &c.SASL.Password}} {
		if *of.to = os.Getenv(of.name); *of.to == "" {
			errs = append(errs, fmt.Errorf("parameter sasl needs the %s in the environment variable %s, which is empty or not set", of.what, of.name))
		}
	}
	return errs
}

// setFallback finds the place for what Kafka does not take.
func (c *sinkConfig) setFallback(pairs []pair) (errs []error) {
	switch c.fallback {
	case "":
		for _, p := range pairs {
			if p.name == "fallback" {
				return nil // something else is wrong with it
			}
		}
		return []error{errors.New("parameter fallback is missing: name the directory for entries that do not reach Kafka, such as fallback=/var/lib/app/kafka-fallback, or fallback=stderr if they need not survive")}
	case "stderr", "stdout":
		for _, p := range pairs {
			if strings.HasPrefix(p.name, "fallback_") {
				errs = append(errs, fmt.Errorf("%s is for a directory, but fallback is %s", parameterName(p.name), c.fallback))
			}
		}
		return errs
	}
	dir, err := resolved(c.fallback)
	if err != nil {
		return []error{fmt.Errorf("parameter fallback: %w", err)}
	}
	c.dir = dir
	return nil
}

// resolved returns the one path by which a directory is known, whether it is
// there already or not.
func resolved(dir string) (string, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	rest := ""
	for there := abs; ; there = filepath.Dir(there) {
		if target, err := filepath.EvalSymlinks(there); err == nil {
			return filepath.Join(target, rest), nil
		}
		if there == filepath.Dir(there) {
			return abs, nil
		}
		rest = filepath.Join(filepath.Base(there), rest)
	}
}

// identify brings what a URL says into one form, whatever the order of the
// parameters.
func (c *sinkConfig) identify(pairs []pair) string {
	said := []string{strings.Join(c.Brokers, ","), c.Topic}
	for _, p := range pairs {
		switch p.name {
		case "brokers": // is in it
		case "fallback":
			place := c.dir
			if place == "" {
				place = c.fallback
			}
			said = append(said, "fallback="+place)
		default:
			said = append(said, p.name+"="+p.value)
		}
	}
	sort.Strings(said[2:])
	return strings.Join(said, "\x00")
}

// byParameter puts the parameter in front of what is wrong with a field of
// Options.
func byParameter(err error) []error {
	errs := []error{err}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		errs = joined.Unwrap()
	}
	for i, err := range errs {
		for j := range sinkParameters {
			field := strings.TrimPrefix(sinkParameters[j].field, "Options.")
			if strings.HasPrefix(err.Error(), field+" ") {
				errs[i] = fmt.Errorf("parameter %s: %w", sinkParameters[j].name, err)
			}
		}
	}
	return errs
}

// suspicious are characters that hardly stand in a value, but do where a
// password, or the rest of a URL, came to stand in its place.
const suspicious = "@=?&#%"

// shown returns a value for an error.
func shown(value string) string {
	const most = 64
	switch {
	case strings.ContainsAny(value, suspicious):
		return "not shown here"
	case len(value) > most:
		return fmt.Sprintf("%q...", value[:most])
	}
	return fmt.Sprintf("%q", value)
}

// parameterName returns the name of a parameter for an error, unless it does not
// look like one.
func parameterName(name string) string {
	if len(name) > 40 {
		return "a parameter"
	}
	for _, c := range name {
		if c != '.' && c != '_' && c != '-' && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') {
			return "a parameter"
		}
	}
	return "parameter " + name
}

// unknownParameter says what may have been meant.
func unknownParameter(name string) error {
	what := parameterName(name)
	plain := plainName(name)
	if plain == "topic" {
		return fmt.Errorf("%s is not known: the topic is the path of the URL: %s", what, sinkURLShape)
	}
	var known []string
	names := make(map[string]string)
	for i := range sinkParameters {
		p := &sinkParameters[i]
		// The field's name is what who knows Options will try.
		for _, n := range []string{p.name, p.field[strings.LastIndexByte(p.field, '.')+1:]} {
			if n = plainName(n); names[n] == "" {
				names[n] = p.name
				known = append(known, n)
			}
		}
	}
	if near := spelling.Nearest(plain, known); near != "" {
		return fmt.Errorf("%s is not known: did you mean %s?", what, names[near])
	}
	return fmt.Errorf("%s is not known: the documentation of zapkafka.RegisterSink lists those that are", what)
}

// plainName is a name without what people write differently.
func plainName(name string) string {
	return strings.ToLower(strings.NewReplacer("_", "", "-", "", ".", "").Replace(name))
}

// credentialWords are what names of parameters have in them that are credentials
// with one Kafka client or another.
var credentialWords = []string{"password", "passwd", "passphrase", "pwd", "secret", "token", "credential", "username", "jaas", "apikey"}

// isCredential reports whether a parameter of that name is for a secret, or for
// the user that belongs to one.
func isCredential(name string) bool {
	plain := plainName(name)
	for _, word := range credentialWords {
		if strings.Contains(plain, word) {
			return true
		}
	}
	switch plain {
	case "user", "pass", "sasluser", "saslpass", "auth":
		return true
	}
	return false
}

// afterSecond returns the name of a parameter that begins with a second question
// mark, and so has become part of the value of another one.
func afterSecond(value string) string {
	_, rest, _ := strings.Cut(value, "?")
	name, _, _ := strings.Cut(rest, "=")
	return name
}

// credentialsIn finds a user and a password wherever they may stand in a URL.
func credentialsIn(u *url.URL, pairs []pair) error {
	var where []string
	at := u.User != nil
	for _, text := range []string{u.Host, u.Path, u.Opaque} {
		at = at || strings.Contains(text, "@")
	}
	if at {
		where = append(where, "a user stands in front of an @")
	}
	for _, p := range pairs {
		switch {
		case isCredential(p.name):
			where = append(where, parameterName(p.name))
		case isCredential(afterSecond(p.value)):
			where = append(where, parameterName(afterSecond(p.value)))
		case strings.Contains(p.name, "@"), p.name == "brokers" && strings.Contains(p.value, "@"):
			where = append(where, "an @ stands in "+parameterName(p.name))
		}
	}
	if where == nil {
		return nil
	}
	return fmt.Errorf("it holds credentials (%s): zap prints a URL that it cannot open, and so does much else, so change what was a secret, "+
		"and give it in the environment: sasl=scram-sha-512&sasl_env=APP_KAFKA reads APP_KAFKA_USER and APP_KAFKA_PASSWORD; or in code, to RegisterSink of the adaptor",
		strings.Join(where, ", "))
}
