package integration

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/zapkafka/zapkafka"
	"github.com/zapkafka/zapkafka/integration/certs"
	"github.com/zapkafka/zapkafka/integration/harness"
	"github.com/zapkafka/zapkafka/integration/load"
)

// toldWithin is how soon the error handler has to hear why nothing gets
// through. It is less than the delivery timeout: who operates the program knows
// before the first entry is given up.
const toldWithin = 15 * time.Second

// listener is one of the ways into a secured Kafka.
type listener int

const (
	onlyTLS listener = iota
	mutualTLS
	userTLS // user and password within TLS
)

// access is a try to get in.
type access struct {
	name     string
	listener listener
	// with completes what the client is given: it trusts the CA, and has the
	// right user and password in case it is told a mechanism.
	with func(s *security, file func(name string) string)
	// refused are words one of which the handler has to hear; nil: the client
	// gets in.
	refused []string
}

const wrongPassword = "wrong-5f0c1a-password"

var accesses = []access{
	{"TLS", onlyTLS, func(*security, func(string) string) {}, nil},
	{"TLS, CA unknown", onlyTLS, func(s *security, file func(string) string) {
		s.ca = file(certs.OtherCA)
	}, badCertificate},
	{"no TLS", onlyTLS, func(s *security, _ func(string) string) {
		s.ca = ""
	}, anything},

	{"mutual TLS", mutualTLS, func(s *security, file func(string) string) {
		s.cert, s.key = file(certs.Client), file(certs.ClientKey)
	}, nil},
	{"mutual TLS, no certificate", mutualTLS, func(*security, func(string) string) {},
		badCertificate},
	{"mutual TLS, certificate of another CA", mutualTLS, func(s *security, file func(string) string) {
		s.cert, s.key = file(certs.Stranger), file(certs.StrangerKey)
	}, badCertificate},

	{"PLAIN", userTLS, func(s *security, _ func(string) string) {
		s.mechanism = mechanismPlain
	}, nil},
	{"PLAIN, wrong password", userTLS, func(s *security, _ func(string) string) {
		s.mechanism, s.password = mechanismPlain, wrongPassword
	}, notAuthenticated},

	{"SCRAM-SHA-512", userTLS, func(s *security, _ func(string) string) {
		s.mechanism = mechanismScram
	}, nil},
	{"SCRAM-SHA-512, wrong password", userTLS, func(s *security, _ func(string) string) {
		s.mechanism, s.password = mechanismScram, wrongPassword
	}, notAuthenticated},
	{"SCRAM-SHA-512, unknown user", userTLS, func(s *security, _ func(string) string) {
		s.mechanism, s.user = mechanismScram, "nobody"
	}, notAuthenticated},

	{"OAUTHBEARER", userTLS, func(s *security, _ func(string) string) {
		s.mechanism, s.token = mechanismToken, unsignedToken(time.Hour)
	}, nil},
	{"OAUTHBEARER, expired token", userTLS, func(s *security, _ func(string) string) {
		s.mechanism, s.token = mechanismToken, unsignedToken(-time.Hour)
	}, []string{"token", "uthentication", "oauth response"}}, // the last is franz-go's word for "refused"
}

var (
	badCertificate   = []string{"certificate"}
	notAuthenticated = []string{"uthentication", "SASL"}
	anything         = []string{""} // a broker that hangs up names no cause
)

// fortress is a secured Kafka, real or not.
type fortress struct {
	kind  string
	certs string
	// brokers are the addresses of each listener, kafka is how the test gets to
	// the same Kafka.
	brokers map[listener][]string
	kafka   map[listener]*harness.Kafka
	// hangsUp: to a wrong password it says nothing, as brokers before Kafka 1.0
	// did, so that no client can know the cause.
	hangsUp bool
}

const kindKfake = "kfake"

func TestSecurity(t *testing.T) {
	k := harness.NeedSecured(t)
	besiege(t, &fortress{
		kind:    "Kafka",
		certs:   k.Certs,
		brokers: map[listener][]string{onlyTLS: k.TLS, mutualTLS: k.MTLS, userTLS: k.SASL},
		kafka:   map[listener]*harness.Kafka{onlyTLS: k.Kafka, mutualTLS: k.Kafka, userTLS: k.Kafka},
	})
}

// The same without a Kafka, in seconds.
func TestSecurityOnKfake(t *testing.T) {
	f := &fortress{
		kind:    kindKfake,
		certs:   t.TempDir(),
		brokers: make(map[listener][]string),
		kafka:   make(map[listener]*harness.Kafka),
		hangsUp: true,
	}
	if err := certs.Write(f.certs); err != nil {
		t.Fatal(err)
	}
	own, err := tls.LoadX509KeyPair(f.file(certs.Server), f.file(certs.Server))
	if err != nil {
		t.Fatal(err)
	}
	pem, err := os.ReadFile(f.file(certs.CA))
	if err != nil {
		t.Fatal(err)
	}
	clients := x509.NewCertPool()
	clients.AppendCertsFromPEM(pem)

	for l, opts := range map[listener][]kfake.Opt{
		onlyTLS:   {kfake.TLS(&tls.Config{Certificates: []tls.Certificate{own}})},
		mutualTLS: {kfake.TLS(&tls.Config{Certificates: []tls.Certificate{own}, ClientCAs: clients, ClientAuth: tls.RequireAndVerifyClientCert})},
		userTLS: {
			kfake.TLS(&tls.Config{Certificates: []tls.Certificate{own}}), kfake.EnableSASL(),
			kfake.Superuser(mechanismPlain, harness.User, harness.Password),
			kfake.Superuser(mechanismScram, harness.User, harness.Password),
		},
	} {
		c, err := kfake.NewCluster(append(opts, kfake.NumBrokers(1))...)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(c.Close)
		mine := f.security()
		switch l {
		case mutualTLS:
			mine.cert, mine.key = f.file(certs.Client), f.file(certs.ClientKey)
		case userTLS:
			mine.mechanism = mechanismPlain
		}
		kopts, err := franzSecurity(mine)
		if err != nil {
			t.Fatal(err)
		}
		f.brokers[l], f.kafka[l] = c.ListenAddrs(), harness.With(c.ListenAddrs(), kopts...)
	}
	besiege(t, f)
}

func (f *fortress) file(name string) string { return filepath.Join(f.certs, name) }

// security is right for the listener with TLS alone.
func (f *fortress) security() security {
	return security{ca: f.file(certs.CA), user: harness.User, password: harness.Password}
}

// unsignedToken is a token as test brokers take it: a JSON Web Token without a
// signature.
func unsignedToken(validFor time.Duration) string {
	encode := base64.RawURLEncoding.EncodeToString
	claims := fmt.Sprintf(`{"sub":%q,"iat":%d,"exp":%d}`, harness.User, time.Now().Add(-2*time.Hour).Unix(), time.Now().Add(validFor).Unix())
	return encode([]byte(`{"alg":"none"}`)) + "." + encode([]byte(claims)) + "."
}

// besiege tries every access with every client.
func besiege(t *testing.T, f *fortress) {
	for _, c := range securedClients {
		for _, a := range accesses {
			t.Run(c.name+"/"+a.name, func(t *testing.T) {
				if why := f.cannot(c, a); why != "" {
					t.Skip(why)
				}
				t.Parallel()
				if a.refused == nil {
					f.admits(t, c, a)
				} else {
					f.refuses(t, c, a)
				}
			})
		}
	}
}

// cannot says why a client cannot try an access; empty: it can.
func (f *fortress) cannot(c secured, a access) string {
	token := strings.HasPrefix(a.name, mechanismToken)
	switch {
	case f.kind == kindKfake && token:
		return "kfake has no OAUTHBEARER"
	case f.kind == kindKfake && c.oldHandshake && a.listener == userTLS:
		return "kfake has no version 0 of SaslHandshake"
	case c.oldHandshake && token && a.refused != nil:
		return "Shopify/sarama v1.38.1 connects again beside the goroutine that reads, when a token was refused (broker.go, Open): a race"
	}
	return ""
}

// someEntries is what each try logs.
var someEntries = load.Plan{Workers: 4, PerWorker: 250}

const numEntries = 1000

// tokenEndpoint serves the token to clients that fetch it by themselves.
func tokenEndpoint(t *testing.T, token string) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprintf(w, `{"access_token":%q,"token_type":"bearer","expires_in":3600}`, token)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// open returns the sink, and what its client was given.
func (f *fortress) open(t *testing.T, c secured, a access) (*harness.Sink, security) {
	t.Helper()
	s := f.security()
	a.with(&s, f.file)
	if s.token != "" {
		s.tokenURL = tokenEndpoint(t, s.token)
	}
	producer, err := c.new(f.brokers[a.listener], s)
	if err != nil {
		t.Fatal(err)
	}
	return harness.OpenWith(t, producer, f.kafka[a.listener].Topic(t), zapkafka.Options{}), s
}

// admits: all is in the topic, and nobody complains of being refused. (A broker
// that has just been started can give other reasons for complaints.)
func (f *fortress) admits(t *testing.T, c secured, a access) {
	s, _ := f.open(t, c, a)
	done := load.New(s.Logger.Logger, someEntries).Start().Wait()
	s.Finish(t)

	sheet := f.kafka[a.listener].Sheet(t, f.scenario(c, a), s, done.Counts, done.Calls)
	sheet.Check(t)
	sheet.None(t)
	if sheet.Stats.Acked != numEntries || sheet.Topic.Records != numEntries {
		t.Errorf("acked %d, in the topic %d, want %d of each", sheet.Stats.Acked, sheet.Topic.Records, numEntries)
	}
	for _, word := range slices.Concat(notAuthenticated, badCertificate) {
		if err := s.Errors.Containing(word); err != nil {
			t.Errorf("the client got in, but the handler was told: %v", err)
		}
	}
}

// refuses: the handler hears soon and of the cause, nobody hears password or
// token, and all is on file.
func (f *fortress) refuses(t *testing.T, c secured, a access) {
	begin := time.Now()
	s, given := f.open(t, c, a)
	defer func() {
		if t.Failed() {
			t.Logf("the handler was told:\n%s", s.Errors)
		}
	}()
	done := load.New(s.Logger.Logger, someEntries).Start().Wait()
	harness.Eventually(t, "the handler is told why nothing gets through", func() bool { return f.cause(s, c, a) != nil })
	took := time.Since(begin)
	if took > toldWithin {
		t.Errorf("the handler was told after %v, want at most %v", took, toldWithin)
	}
	if took, err := s.Shutdown(time.Second); err != nil {
		// The client has a tenth of a second to end after the time is over, which
		// its own tests measure: with dozens of handshakes beside it on two cores
		// it may need more. TestMain sees whether it ends.
		if !strings.Contains(err.Error(), "close the producer: ") || took > 3*time.Second {
			t.Errorf("Shutdown after %v: %v", took, err)
		}
		t.Logf("Shutdown after %v: %v", took, err)
	}
	harness.Note(t, fmt.Sprintf("%s: told after %v: %v", f.scenario(c, a), took.Round(time.Millisecond), f.cause(s, c, a)))

	sheet := f.kafka[a.listener].Sheet(t, f.scenario(c, a), s, done.Counts, done.Calls)
	sheet.Check(t)
	sheet.None(t)
	if sheet.Topic.Records != 0 || sheet.Files.Records != numEntries {
		t.Errorf("in the topic %d, on file %d, want 0 and %d", sheet.Topic.Records, sheet.Files.Records, numEntries)
	}
	for _, err := range s.Errors.All() {
		// %+v is what zap logs as errorVerbose.
		text := fmt.Sprintf("%v\n%+v", err, err)
		for _, secret := range []string{given.password, given.token} {
			if secret != "" && strings.Contains(text, secret) {
				t.Errorf("%q, which is secret, is in the text of an error: %s", secret, text)
			}
		}
	}
}

// cause returns the first error that names the cause.
func (f *fortress) cause(s *harness.Sink, c secured, a access) error {
	words := a.refused
	if (f.hangsUp || c.oldHandshake) && a.listener == userTLS {
		words = anything
	}
	for _, word := range words {
		if err := s.Errors.Containing(word); err != nil {
			return err
		}
	}
	return nil
}

func (f *fortress) scenario(c secured, a access) string {
	return c.name + ", " + f.kind + ", " + a.name
}
