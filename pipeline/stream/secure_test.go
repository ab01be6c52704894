package stream

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
)

// selfSigned makes a certificate for 127.0.0.1 and the file that vouches for it.
func selfSigned(t *testing.T) (tls.Certificate, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, path
}

func TestSASLAndTLS(t *testing.T) {
	cert, ca := selfSigned(t)
	password := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(password, []byte("secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, mechanism := range map[string]string{"plain": "PLAIN", "scram-sha-256": "SCRAM-SHA-256", "scram-sha-512": "SCRAM-SHA-512"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fake, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "tingke.transcripts"), kfake.EnableSASL(),
				kfake.Superuser(mechanism, "ting", "secret"), kfake.TLS(&tls.Config{Certificates: []tls.Certificate{cert}}),
				kfake.GroupMinSessionTimeout(time.Second))
			if err != nil {
				t.Fatal(err)
			}
			defer fake.Close()
			store := newMemStore()
			o := testOptions(t, &cluster{fake.ListenAddrs()[0], "tingke.transcripts"}, store)
			o.Kafka.SASL = SASLConfig{Mechanism: name, User: "ting", PasswordFile: password}
			o.Kafka.TLS = TLSConfig{Enabled: true, CAFile: ca}
			p, err := NewProducer(o.Kafka, "", o.Log)
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close()
			if err := p.Send(testContext(t, 20*time.Second), Record{Key: []byte("s"), Value: []byte(turnLine("s", 1))}, Record{Value: []byte("bad")}); err != nil {
				t.Fatal(err)
			}
			w := start(t, o)
			c := w.endInput(t)
			w.stop(t)
			if c.Turns != 1 || c.DeadLetters != 1 {
				t.Errorf("counts %+v", c)
			}
			compare(t, store, []string{turnLine("s", 1), "bad"})

			o.Kafka.SASL.PasswordFile, o.Kafka.SASL.Password = "", "wrong"
			w = start(t, o)
			eventually(t, "a wrong password shows", func() bool { return w.Ready() != nil && strings.Contains(w.Ready().Error(), "kafka.sasl") })
			w.stop(t)
		})
	}
}
