package integration

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/oauth"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"github.com/zapkafka/zapkafka"
	"github.com/zapkafka/zapkafka/producer/franz"
)

// security is what a client is told to prove and to ask for.
type security struct {
	ca        string // file with the certificate of the CA that it trusts; empty: no TLS
	cert, key string // files with its own certificate and key; empty: none
	mechanism string // PLAIN, SCRAM-SHA-512 or OAUTHBEARER; empty: none
	user      string
	password  string
	token     string
	tokenURL  string // where the token can be fetched
}

const (
	mechanismPlain = "PLAIN"
	mechanismScram = "SCRAM-SHA-512"
	mechanismToken = "OAUTHBEARER"
)

// tls returns the same for clients in Go; nil for no TLS.
func (s security) tls() (*tls.Config, error) {
	if s.ca == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(s.ca)
	if err != nil {
		return nil, err
	}
	c := &tls.Config{RootCAs: x509.NewCertPool(), MinVersion: tls.VersionTLS12}
	if !c.RootCAs.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s holds no certificate", s.ca)
	}
	if s.cert != "" {
		own, err := tls.LoadX509KeyPair(s.cert, s.key)
		if err != nil {
			return nil, err
		}
		c.Certificates = append(c.Certificates, own)
	}
	return c, nil
}

// secured makes a producer of one client for a Kafka that wants to know who it
// talks to.
type secured struct {
	name string
	new  func(brokers []string, s security) (zapkafka.Producer, error)
	// oldHandshake: it proves users with version 0 of SaslHandshake, to which
	// brokers say nothing but yes.
	oldHandshake bool
}

// securedClients are all that there are; files with build tags add theirs.
var securedClients = []secured{
	{name: "franz", new: newSecuredFranz},
	{name: "kafkago", new: newSecuredKafkago},
	{name: "ibmsarama", new: newSecuredIBMSarama},
	{name: "shopifysarama", new: newSecuredShopifySarama, oldHandshake: true},
}

func franzSecurity(s security) ([]kgo.Opt, error) {
	config, err := s.tls()
	if err != nil {
		return nil, err
	}
	var opts []kgo.Opt
	if config != nil {
		opts = append(opts, kgo.DialTLSConfig(config))
	}
	switch s.mechanism {
	case mechanismPlain:
		opts = append(opts, kgo.SASL(plain.Auth{User: s.user, Pass: s.password}.AsMechanism()))
	case mechanismScram:
		opts = append(opts, kgo.SASL(scram.Auth{User: s.user, Pass: s.password}.AsSha512Mechanism()))
	case mechanismToken:
		opts = append(opts, kgo.SASL(oauth.Auth{Token: s.token}.AsMechanism()))
	}
	return opts, nil
}

func newSecuredFranz(brokers []string, s security) (zapkafka.Producer, error) {
	opts, err := franzSecurity(s)
	if err != nil {
		return nil, err
	}
	return franz.New(brokers, opts...)
}
