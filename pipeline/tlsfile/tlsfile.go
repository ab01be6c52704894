// Package tlsfile makes TLS settings of clients from PEM files and reads secrets from files. It knows no protocol and imports
// nothing of ours.
package tlsfile

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
)

// Files are the PEM files of a client's TLS. All may be empty: the system's authorities, no certificate of its own.
type Files struct {
	CAFile     string // authorities that may sign the server's certificate; the system's where empty
	CertFile   string // with KeyFile: the client's own certificate
	KeyFile    string
	ServerName string // name in the server's certificate where it is not the host of the address
}

// Check reports settings that do not go together, by the key of the configuration.
func (f Files) Check(key string) error {
	if (f.CertFile == "") != (f.KeyFile == "") {
		return fmt.Errorf("%s: cert_file and key_file go together", key)
	}
	return nil
}

// Config reads the files. Errors begin with key, the place of the settings in the configuration.
func (f Files) Config(key string) (*tls.Config, error) {
	if err := f.Check(key); err != nil {
		return nil, err
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: f.ServerName}
	if f.CAFile != "" {
		pem, err := os.ReadFile(f.CAFile)
		if err != nil {
			return nil, fmt.Errorf("%s.ca_file: %w", key, err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s.ca_file: %s holds no PEM certificate", key, f.CAFile)
		}
	}
	if f.CertFile != "" {
		cert, err := tls.LoadX509KeyPair(f.CertFile, f.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("%s.cert_file: %w", key, err)
		}
		c.Certificates = []tls.Certificate{cert}
	}
	return c, nil
}

// Advice says what to set when a server's certificate was refused, "" for any other error. key is the place of the settings
// in the configuration.
func Advice(err error, key string) string {
	var unknown x509.UnknownAuthorityError
	var name x509.HostnameError
	var invalid x509.CertificateInvalidError
	var remote *net.OpError // an alert of TLS that the server sent
	switch {
	case errors.As(err, &unknown):
		return "set " + key + ".ca_file to the PEM file of the authority that signed the server's certificate"
	case errors.As(err, &name):
		return "set " + key + ".server_name to a name that the server's certificate has, or use such a name in the address"
	case errors.As(err, &invalid):
		return "the server needs another certificate; this one may have expired"
	case errors.As(err, &remote) && remote.Op == "remote error":
		return "the server wants another certificate of the client: set " + key + ".cert_file and key_file"
	}
	return ""
}

// Secret reads a file that holds one secret; a final line break is no part of it. The error never holds what the file holds.
func Secret(key, path string) (string, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("%s: %w", key, err)
	}
	v := strings.TrimRight(string(b), "\r\n")
	if v == "" {
		return "", fmt.Errorf("%s: %s is empty", key, path)
	}
	return v, nil
}
