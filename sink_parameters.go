package zapkafka

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

const (
	// sinkSyncTimeout is the default of sync_timeout. It is less than that of
	// Options: zap holds its lock during a Sync, and all log calls wait for that.
	sinkSyncTimeout = 250 * time.Millisecond
	// defaultSASLEnv is how the names of the variables with the credentials begin.
	defaultSASLEnv = "KAFKA"
)

// sinkParameter is a parameter of a sink's URL. The README has a table of them,
// which a test compares with this one.
type sinkParameter struct {
	name string
	// field is what it sets: "Options.BufferBytes"; of SinkURL too.
	field string
	// kind is what its value looks like.
	kind string
	// byDefault holds without it.
	byDefault string
	example   string
	// set takes the value, which is not empty. The error goes on from "parameter
	// buffer".
	set func(c *sinkConfig, value string) error
}

const (
	kindBytes         = "bytes, also in KiB, MiB or GiB"
	kindBytesOrOff    = "bytes, also in KiB, MiB or GiB, or off"
	kindDuration      = "a time with its unit"
	kindDurationOrOff = "a time with its unit, or off"
	kindFsync         = "a time with its unit, or at_once"
	kindNumberOrOff   = "a number, or off"
	kindBool          = "true or false"
	kindFile          = "a file in PEM"
)

// sinkParameters are in the order of the README.
var sinkParameters = []sinkParameter{
	{"brokers", "SinkURL.Brokers", "addresses with commas between", "those before the topic", "[::1]:9092,[::2]:9092", setText(func(c *sinkConfig) *string { return &c.brokers })},
	{"fallback", "OpenFallback", "a directory, stderr or stdout", "none, it has to be there", "/var/lib/app/kafka-fallback", setText(func(c *sinkConfig) *string { return &c.fallback })},
	{"tls", "SinkURL.TLS", kindBool, "false", "true", setBool(func(c *sinkConfig) *bool { return &c.tls })},
	{"tls_ca", "SinkTLS.CAFile", kindFile, "the system's authorities", "/etc/kafka/ca.pem", setText(func(c *sinkConfig) *string { return &c.tlsFiles.CAFile })},
	{"tls_cert", "SinkTLS.CertFile", kindFile, "none", "/etc/kafka/app.pem", setText(func(c *sinkConfig) *string { return &c.tlsFiles.CertFile })},
	{"tls_key", "SinkTLS.KeyFile", kindFile, "none", "/etc/kafka/app.key", setText(func(c *sinkConfig) *string { return &c.tlsFiles.KeyFile })},
	{"sasl", "SinkSASL.Mechanism", "plain, scram-sha-256 or scram-sha-512", "none", "scram-sha-512", setMechanism},
	{"sasl_env", "SinkSASL.User", "how the names of the environment variables begin", defaultSASLEnv, "APP_KAFKA", setSASLEnv},

	{"buffer", "Options.BufferBytes", kindBytes, "64MiB", "128MiB", setBytes(func(c *sinkConfig) *int64 { return &c.options.BufferBytes }, false)},
	{"linger", "Options.Linger", kindDurationOrOff, "10ms", "50ms", setDuration(func(c *sinkConfig) *time.Duration { return &c.options.Linger }, true)},
	{"delivery_timeout", "Options.DeliveryTimeout", kindDuration, "30s", "1m", setDuration(func(c *sinkConfig) *time.Duration { return &c.options.DeliveryTimeout }, false)},
	{"max_wait", "Options.MaxWait", kindDurationOrOff, "100ms", "off", setDuration(func(c *sinkConfig) *time.Duration { return &c.options.MaxWait }, true)},
	{"max_entry", "Options.MaxEntryBytes", kindBytes, "900000", "256KiB", setBytes(func(c *sinkConfig) *int { return &c.options.MaxEntryBytes }, false)},
	{"sync_timeout", "Options.SyncTimeout", kindDuration, "250ms", "1s", setDuration(func(c *sinkConfig) *time.Duration { return &c.options.SyncTimeout }, false)},
	{"close_timeout", "Options.CloseTimeout", kindDuration, "10s", "5s", setDuration(func(c *sinkConfig) *time.Duration { return &c.options.CloseTimeout }, false)},
	{"outage_after", "Options.OutageAfter", kindDurationOrOff, "5s", "10s", setDuration(func(c *sinkConfig) *time.Duration { return &c.options.OutageAfter }, true)},
	{"id_header", "Options.IDHeader", kindBool, "false", "true", setBool(func(c *sinkConfig) *bool { return &c.options.IDHeader })},
	{"replay_rate", "Options.Replay.Rate", kindNumberOrOff, "50000", "5000", setNumber(func(c *sinkConfig) *int { return &c.options.Replay.Rate })},
	{"replay_stamp_now", "Options.Replay.StampNow", kindBool, "false", "true", setBool(func(c *sinkConfig) *bool { return &c.options.Replay.StampNow })},

	{"fallback_max", "FallbackOptions.MaxBytes", kindBytesOrOff, "1GiB", "10GiB", setBytes(func(c *sinkConfig) *int64 { return &c.fallbackOptions.MaxBytes }, true)},
	{"fallback_keep_newest", "FallbackOptions.KeepNewest", kindBool, "false", "true", setBool(func(c *sinkConfig) *bool { return &c.fallbackOptions.KeepNewest })},
	{"fallback_segment", "FallbackOptions.SegmentBytes", kindBytes, "64MiB", "16MiB", setBytes(func(c *sinkConfig) *int64 { return &c.fallbackOptions.SegmentBytes }, false)},
	{"fallback_fsync_after", "FallbackOptions.FsyncAfter", kindFsync, "on Sync only", "1s", setFsyncAfter},
}

// sinkCodeOnly are the fields that no URL can set: SinkOptions does.
var sinkCodeOnly = map[string]string{
	"Options.FallbackLevel": "without effect: zap tells an output no levels",
	"Options.OnStateChange": "a function",
	"Options.LastResort":    "an io.Writer",
	"Options.ErrorHandler":  "a function",
}

func sinkParameterNamed(name string) *sinkParameter {
	for i := range sinkParameters {
		if sinkParameters[i].name == name {
			return &sinkParameters[i]
		}
	}
	return nil
}

const off = "off"

func setText(field func(*sinkConfig) *string) func(*sinkConfig, string) error {
	return func(c *sinkConfig, value string) error {
		*field(c) = value
		return nil
	}
}

func setBool(field func(*sinkConfig) *bool) func(*sinkConfig, string) error {
	return func(c *sinkConfig, value string) error {
		switch value {
		case "true":
			*field(c) = true
		case "false":
			*field(c) = false
		default:
			return fmt.Errorf("is %s: want %s", shown(value), kindBool)
		}
		return nil
	}
}

func setMechanism(c *sinkConfig, value string) error {
	switch m := strings.ToUpper(value); m {
	case "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512":
		c.sasl = m
		return nil
	}
	return fmt.Errorf("is %s: want plain, scram-sha-256 or scram-sha-512; other mechanisms are set up in code, by the client's own options", shown(value))
}

func setSASLEnv(c *sinkConfig, value string) error {
	for _, r := range value {
		if r != '_' && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') {
			return fmt.Errorf("is %s: want how the names of two environment variables begin, such as APP_KAFKA for APP_KAFKA_USER and APP_KAFKA_PASSWORD", shown(value))
		}
	}
	c.saslEnv = value
	return nil
}

// whole is what a number of a field may be.
type whole interface{ ~int | ~int64 }

// setWhole sets a field to what parse makes of the value. Zero would mean the
// field's default, which somebody who writes 0 hardly means.
func setWhole[T whole](field func(*sinkConfig) *T, orOff bool, want string, parse func(string) (int64, error)) func(*sinkConfig, string) error {
	return func(c *sinkConfig, value string) error {
		if value == off && orOff {
			*field(c) = -1
			return nil
		}
		switch n, err := parse(value); {
		case err != nil:
			return fmt.Errorf("is %s: want %s", shown(value), want)
		case n <= 0 && orOff:
			return fmt.Errorf("is %s, but must be positive, or off; without the parameter the default holds", shown(value))
		case n <= 0:
			return fmt.Errorf("is %s, but must be positive; without the parameter the default holds", shown(value))
		case int64(T(n)) != n:
			return fmt.Errorf("is %s, which is more than this machine can count", shown(value))
		default:
			*field(c) = T(n)
			return nil
		}
	}
}

func setBytes[T whole](field func(*sinkConfig) *T, orOff bool) func(*sinkConfig, string) error {
	want := kindBytes
	if orOff {
		want = kindBytesOrOff
	}
	return setWhole(field, orOff, want+", such as 32MiB", parseBytes)
}

func setNumber(field func(*sinkConfig) *int) func(*sinkConfig, string) error {
	return setWhole(field, true, kindNumberOrOff, func(s string) (int64, error) { return strconv.ParseInt(s, 10, 64) })
}

func setDuration(field func(*sinkConfig) *time.Duration, orOff bool) func(*sinkConfig, string) error {
	want := kindDuration
	if orOff {
		want = kindDurationOrOff
	}
	return setWhole(field, orOff, want+", such as 30s or 250ms", func(s string) (int64, error) {
		d, err := time.ParseDuration(s)
		return int64(d), err
	})
}

func setFsyncAfter(c *sinkConfig, value string) error {
	if value == "at_once" {
		c.fallbackOptions.FsyncAfter = FsyncAtOnce
		return nil
	}
	return setWhole(func(c *sinkConfig) *time.Duration { return &c.fallbackOptions.FsyncAfter }, false, kindFsync+", such as 1s", func(s string) (int64, error) {
		d, err := time.ParseDuration(s)
		return int64(d), err
	})(c, value)
}

// parseBytes reads a number of bytes with the units whose meaning nobody argues
// about.
func parseBytes(s string) (int64, error) {
	digits, unit := s, int64(1)
	for _, u := range []struct {
		name string
		size int64
	}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1 << 40}} {
		if d, ok := strings.CutSuffix(s, u.name); ok {
			digits, unit = d, u.size
		}
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	switch {
	case err != nil:
		return 0, err
	case n > math.MaxInt64/unit:
		return 0, errors.New("too large")
	}
	return n * unit, nil
}
