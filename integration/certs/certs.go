// Package certs makes the certificates with which a Kafka for tests speaks TLS,
// in the files that scripts/kafka.sh and Kafka's clients take.
package certs

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// The files that Write makes. Those of the stranger are in order as well, but
// nobody trusts them.
const (
	CA          = "ca.pem"     // certificate of the CA that has signed the others
	Server      = "server.pem" // the broker's certificate, for loopback, and its key
	Client      = "client.pem"
	ClientKey   = "client.key"
	OtherCA     = "other-ca.pem" // certificate of a CA that has signed the next one alone
	Stranger    = "stranger.pem"
	StrangerKey = "stranger.key"
)

// Write makes all of them in dir, anew. They are good for a day.
func Write(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	ours, err := newAuthority("zapkafka test CA")
	if err != nil {
		return err
	}
	others, err := newAuthority("some other CA")
	if err != nil {
		return err
	}
	server, serverKey, err := ours.sign("kafka", x509.ExtKeyUsageServerAuth)
	if err != nil {
		return err
	}
	client, clientKey, err := ours.sign("app", x509.ExtKeyUsageClientAuth)
	if err != nil {
		return err
	}
	stranger, strangerKey, err := others.sign("app", x509.ExtKeyUsageClientAuth)
	if err != nil {
		return err
	}
	for name, content := range map[string][]byte{
		CA:          certificate(ours.cert.Raw),
		Server:      append(certificate(server), serverKey...),
		Client:      certificate(client),
		ClientKey:   clientKey,
		OtherCA:     certificate(others.cert.Raw),
		Stranger:    certificate(stranger),
		StrangerKey: strangerKey,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			return err
		}
	}
	return nil
}

type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(name string) (*authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	cert := template(name)
	cert.IsCA, cert.BasicConstraintsValid, cert.KeyUsage = true, true, x509.KeyUsageCertSign
	raw, err := x509.CreateCertificate(rand.Reader, cert, cert, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("certificate of %s: %w", name, err)
	}
	cert, err = x509.ParseCertificate(raw)
	return &authority{cert, key}, err
}

// sign returns a certificate and, in PEM, its key: PKCS #8 is what Kafka reads.
func (a *authority) sign(name string, usage x509.ExtKeyUsage) (cert, key []byte, err error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	t := template(name)
	t.KeyUsage, t.ExtKeyUsage = x509.KeyUsageDigitalSignature, []x509.ExtKeyUsage{usage}
	t.DNSNames, t.IPAddresses = []string{"localhost"}, []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}
	if cert, err = x509.CreateCertificate(rand.Reader, t, a.cert, private.Public(), a.key); err != nil {
		return nil, nil, fmt.Errorf("certificate of %s: %w", name, err)
	}
	if key, err = x509.MarshalPKCS8PrivateKey(private); err != nil {
		return nil, nil, fmt.Errorf("key of %s: %w", name, err)
	}
	return cert, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}), nil
}

func template(name string) *x509.Certificate {
	now := time.Now()
	return &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()),
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    now.Add(-time.Hour), // clocks differ
		NotAfter:     now.Add(24 * time.Hour),
	}
}

func certificate(raw []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: raw})
}
