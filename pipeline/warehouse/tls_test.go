package warehouse

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tingke/tingke/pipeline/tlsfile"
)

// authority makes certificates and the PEM files that go with them.
type authority struct {
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	file string // what vouches for all that it signs
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{dir: t.TempDir()}
	_, a.cert, a.key = a.make(t, "authority", nil)
	a.file = filepath.Join(a.dir, "authority.pem")
	return a
}

// make signs a certificate for a name, by itself while there is no authority yet.
func (a *authority) make(t *testing.T, name string, change func(*x509.Certificate)) (tls.Certificate, *x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, NotAfter: time.Now().Add(time.Hour),
		DNSNames: []string{name}, IsCA: a.cert == nil, BasicConstraintsValid: true,
	}
	if change != nil {
		change(template)
	}
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for ext, block := range map[string]*pem.Block{".pem": {Type: "CERTIFICATE", Bytes: der}, ".key": {Type: "PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(filepath.Join(a.dir, name+ext), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, cert, key
}

// TestTLSToClickHouse: the embedded engine behind TLS as a server's HTTPS port is, and a port of the native protocol as far
// as the handshake goes.
func TestTLSToClickHouse(t *testing.T) {
	w := migrated(t)
	if w.Handle() == nil {
		t.Skip("the engine behind the test's own TLS is the embedded one; CLICKHOUSE_DSN names a server")
	}
	database := one[string](t, w, "SELECT currentDatabase()")
	ours, theirs := newAuthority(t), newAuthority(t)
	loopback := func(c *x509.Certificate) { c.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)} }
	good, _, _ := ours.make(t, "clickhouse.example", loopback)
	named, _, _ := ours.make(t, "named.example", nil)
	expired, _, _ := ours.make(t, "expired.example", func(c *x509.Certificate) { loopback(c); c.NotAfter = time.Now().Add(-time.Minute) })
	ours.make(t, "client", func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} })
	trusted := x509.NewCertPool()
	trusted.AddCert(ours.cert)

	proxy := &httputil.ReverseProxy{Transport: w.Handle().RoundTripper(), Rewrite: func(r *httputil.ProxyRequest) { r.Out.URL.Scheme, r.Out.URL.Host = "http", "engine" }}
	serve := func(cert tls.Certificate, auth tls.ClientAuthType) string {
		s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			user, password, ok := r.BasicAuth()
			if !ok {
				user, password = r.Header.Get("X-ClickHouse-User"), r.Header.Get("X-ClickHouse-Key")
			}
			if user != "ting" || password != "geheim" {
				w.Header().Set("X-ClickHouse-Exception-Code", "516")
				http.Error(w, "Code: 516. DB::Exception: Authentication failed", http.StatusForbidden)
				return
			}
			proxy.ServeHTTP(w, r)
		}))
		s.TLS = &tls.Config{Certificates: []tls.Certificate{cert}, ClientAuth: auth, ClientCAs: trusted}
		s.Config.ErrorLog = log.New(io.Discard, "", 0)
		s.StartTLS()
		t.Cleanup(s.Close)
		return s.Listener.Addr().String()
	}
	plain, mutual := serve(good, tls.NoClientCert), serve(good, tls.RequireAndVerifyClientCert)
	other, old := serve(named, tls.NoClientCert), serve(expired, tls.NoClientCert)

	password := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(password, []byte("geheim\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	f := func(address, query string, files tlsfile.Files, want ...string) {
		t.Helper()
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		cfg := Config{DSN: "https://ting@" + address + "/" + database + query, PasswordFile: password, TLS: files, Logger: w.log}
		if strings.HasPrefix(address, "clickhouse://") {
			cfg.DSN = address + query
		}
		got, err := Open(ctx, cfg)
		if err == nil {
			var sessions uint64
			err = got.Conn().QueryRow(ctx, "SELECT count() FROM sessions").Scan(&sessions)
			if closeErr := got.Close(); closeErr != nil {
				t.Error(closeErr)
			}
		}
		if len(want) == 0 && err != nil {
			t.Errorf("%s: %v", cfg.DSN, err)
		}
		for _, text := range want {
			if err == nil || !strings.Contains(err.Error(), text) {
				t.Errorf("%s: error %v, want %q", cfg.DSN, err, text)
			}
		}
		if err != nil && strings.Contains(err.Error(), "geheim") {
			t.Errorf("%s: the error shows the password: %v", cfg.DSN, err)
		}
	}
	ca := tlsfile.Files{CAFile: ours.file}
	f(plain, "?secure=true", ca)
	f(plain, "?secure=true", tlsfile.Files{}, "certificate", "set clickhouse.tls.ca_file")
	f(plain, "?secure=true", tlsfile.Files{CAFile: theirs.file}, "certificate", "set clickhouse.tls.ca_file")
	f(plain, "?secure=true&skip_verify=true", tlsfile.Files{})
	f(plain, "?secure=true", tlsfile.Files{CAFile: password}, "clickhouse.tls.ca_file", "holds no PEM certificate")
	f(plain, "?secure=true", tlsfile.Files{CAFile: "nowhere.pem"}, "clickhouse.tls.ca_file", "nowhere.pem")
	f(old, "?secure=true", ca, "expired")

	f(other, "?secure=true", ca, "set clickhouse.tls.server_name")
	f(other, "?secure=true", tlsfile.Files{CAFile: ours.file, ServerName: "named.example"})
	f(other, "?secure=true&tls_server_name=named.example", ca)

	f(mutual, "?secure=true", ca, "set clickhouse.tls.cert_file")
	f(mutual, "?secure=true", tlsfile.Files{CAFile: ours.file, CertFile: filepath.Join(ours.dir, "client.pem"), KeyFile: filepath.Join(ours.dir, "client.key")})
	f(mutual, "?secure=true", tlsfile.Files{CAFile: ours.file, CertFile: filepath.Join(ours.dir, "client.pem")}, "clickhouse.tls: cert_file and key_file go together")

	// The native protocol: refused while shaking hands, before anything is said.
	f("clickhouse://ting@"+plain+"/x", "?secure=true", tlsfile.Files{CAFile: theirs.file}, "set clickhouse.tls.ca_file")
	f("clickhouse://ting@"+other+"/x", "?secure=true", ca, "set clickhouse.tls.server_name")

	// Settings that do not go together say so before anything goes over the wire.
	f("clickhouse://ting@"+plain+"/x", "", ca, "clickhouse.tls", "secure=true")
	f("clickhouse://ting:geheim@"+plain+"/x", "", tlsfile.Files{}, "clickhouse.password_file", "has a password, too")
}
