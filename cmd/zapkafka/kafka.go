package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/oauth"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"
)

// kafkaFlags say which Kafka is meant and how to be let in. Secrets come from
// files or the environment: what is on the command line, everybody on the
// machine can read.
type kafkaFlags struct {
	Brokers []string `env:"KAFKA_BROKERS" placeholder:"HOST:PORT" help:"Brokers to begin with."`

	TLS     bool   `name:"tls" group:"Security" help:"Speak TLS."`
	TLSCA   string `name:"tls-ca" group:"Security" placeholder:"FILE" help:"Trust the CAs in this PEM file instead of the system's; means --tls."`
	TLSCert string `name:"tls-cert" group:"Security" placeholder:"FILE" help:"Show this certificate (PEM); with --tls-key."`
	TLSKey  string `name:"tls-key" group:"Security" placeholder:"FILE" help:"Its private key (PEM)."`

	SASL         string `name:"sasl" group:"Security" default:"" enum:",plain,scram-sha-256,scram-sha-512,oauthbearer" placeholder:"MECHANISM" help:"plain, scram-sha-256, scram-sha-512 or oauthbearer."`
	SASLUser     string `name:"sasl-user" group:"Security" env:"KAFKA_USER" placeholder:"NAME" help:"User."`
	PasswordFile string `name:"sasl-password-file" group:"Security" placeholder:"FILE" help:"File with the password. Without it the password is that of $$KAFKA_PASSWORD."`
	TokenFile    string `name:"sasl-token-file" group:"Security" placeholder:"FILE" help:"File with the token of oauthbearer, read for each connection. Without it the token is that of $$KAFKA_TOKEN."`
	InClear      bool   `name:"sasl-in-clear" group:"Security" help:"Allow a password or token to be sent without TLS."`
}

// options checks the flags and returns what they mean to the client. They do
// not name the brokers.
func (k *kafkaFlags) options() ([]kgo.Opt, error) {
	if err := k.checkBrokers(); err != nil {
		return nil, err
	}
	var opts []kgo.Opt
	config, err := k.tlsConfig()
	if err != nil {
		return nil, err
	}
	if config != nil {
		opts = append(opts, kgo.DialTLSConfig(config))
	}
	auth, err := k.auth(config != nil)
	if err != nil {
		return nil, err
	}
	return append(opts, auth...), nil
}

func (k *kafkaFlags) checkBrokers() error {
	if len(k.Brokers) == 0 {
		return badUsage("no brokers: name them with --brokers host:port, or in KAFKA_BROKERS")
	}
	for i, b := range k.Brokers {
		b = strings.TrimSpace(b)
		if b == "" || strings.ContainsAny(b, "/@") {
			// Not repeated: what stands before an @ may be a password.
			return badUsage("broker %d of --brokers is no host:port; users and passwords belong in --sasl-user and KAFKA_PASSWORD", i+1)
		}
		k.Brokers[i] = b
	}
	return nil
}

func (k *kafkaFlags) tlsConfig() (*tls.Config, error) {
	if (k.TLSCert == "") != (k.TLSKey == "") {
		return nil, badUsage("--tls-cert and --tls-key belong together: give both or neither")
	}
	if !k.TLS && k.TLSCA == "" && k.TLSCert == "" {
		return nil, nil
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if k.TLSCA != "" {
		pem, err := os.ReadFile(k.TLSCA)
		if err != nil {
			return nil, badUsage("--tls-ca: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, badUsage("--tls-ca: %s holds no certificate in PEM", k.TLSCA)
		}
	}
	if k.TLSCert != "" {
		own, err := tls.LoadX509KeyPair(k.TLSCert, k.TLSKey)
		if err != nil {
			return nil, badUsage("--tls-cert and --tls-key: %w", err)
		}
		config.Certificates = []tls.Certificate{own}
	}
	return config, nil
}

func (k *kafkaFlags) auth(encrypted bool) ([]kgo.Opt, error) {
	if k.SASL == "" {
		if k.PasswordFile != "" || k.TokenFile != "" {
			return nil, badUsage("a password or a token without --sasl: name the mechanism")
		}
		return nil, nil
	}
	if !encrypted && !k.InClear && !strings.HasPrefix(k.SASL, "scram") {
		return nil, badUsage("--sasl %s without TLS sends the secret as it is: add --tls (or --sasl-in-clear if you mean it)", k.SASL)
	}
	if k.SASL == "oauthbearer" {
		if _, err := k.token(); err != nil {
			return nil, usageError{err}
		}
		return []kgo.Opt{kgo.SASL(oauth.Oauth(func(context.Context) (oauth.Auth, error) {
			token, err := k.token()
			return oauth.Auth{Token: token}, err
		}))}, nil
	}
	if k.SASLUser == "" {
		return nil, badUsage("--sasl %s needs a user: --sasl-user or KAFKA_USER", k.SASL)
	}
	password, err := secret(k.PasswordFile, "KAFKA_PASSWORD", "--sasl-password-file")
	if err != nil {
		return nil, usageError{err}
	}
	switch k.SASL {
	case "plain":
		return []kgo.Opt{kgo.SASL(plain.Auth{User: k.SASLUser, Pass: password}.AsMechanism())}, nil
	case "scram-sha-256":
		return []kgo.Opt{kgo.SASL(scram.Auth{User: k.SASLUser, Pass: password}.AsSha256Mechanism())}, nil
	}
	return []kgo.Opt{kgo.SASL(scram.Auth{User: k.SASLUser, Pass: password}.AsSha512Mechanism())}, nil
}

func (k *kafkaFlags) token() (string, error) {
	return secret(k.TokenFile, "KAFKA_TOKEN", "--sasl-token-file")
}

// secret reads a secret from a file, or from the environment if there is none. A
// newline at the end of the file is not part of it.
func secret(file, variable, flag string) (string, error) {
	if file == "" {
		if s := os.Getenv(variable); s != "" {
			return s, nil
		}
		return "", fmt.Errorf("no secret: set %s, or name a file with %s", variable, flag)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("%s: %w", flag, err)
	}
	s := strings.TrimRight(string(b), "\r\n")
	if s == "" {
		return "", errors.New(flag + ": " + file + " is empty")
	}
	return s, nil
}
