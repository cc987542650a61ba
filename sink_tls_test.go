package zapkafka

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// selfSigned writes a certificate and its key.
func selfSigned(t *testing.T) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalECPrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cert, key = filepath.Join(dir, "app.pem"), filepath.Join(dir, "app.key")
	for name, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "EC PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}

func TestSinkTLS(t *testing.T) {
	cert, key := selfSigned(t)
	if c, err := (&SinkTLS{}).Config(); err != nil || c.RootCAs != nil || c.Certificates != nil {
		t.Errorf("the system's authorities: %+v, %v", c, err)
	}
	c, err := (&SinkTLS{CAFile: cert, CertFile: cert, KeyFile: key}).Config()
	if err != nil {
		t.Fatal(err)
	}
	if c.RootCAs == nil || len(c.Certificates) != 1 || c.InsecureSkipVerify {
		t.Errorf("%+v", c)
	}
	for _, bad := range []struct {
		tls  SinkTLS
		want string
	}{
		{SinkTLS{CAFile: cert + "x"}, "tls_ca: open " + cert + "x"},
		{SinkTLS{CAFile: key}, "tls_ca: " + key + " holds no certificate in PEM"},
		{SinkTLS{CertFile: key, KeyFile: key}, "tls_cert and tls_key: "},
		{SinkTLS{CertFile: cert, KeyFile: key + "x"}, "tls_cert and tls_key: open " + key + "x"},
	} {
		if c, err := bad.tls.Config(); c != nil || err == nil || !strings.Contains(err.Error(), bad.want) {
			t.Errorf("%+v: %v, %v; want %s", bad.tls, c, err, bad.want)
		}
	}
}
