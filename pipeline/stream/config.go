package stream

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/sasl"
	"github.com/segmentio/kafka-go/sasl/plain"
	"github.com/segmentio/kafka-go/sasl/scram"

	"github.com/tingke/tingke/pipeline/tlsfile"
	"github.com/tingke/tingke/schemas"
)

// KafkaConfig says how to reach Kafka and what to read.
type KafkaConfig struct {
	Brokers   []string
	Topic     string // transcripts; default tingke.transcripts
	DeadTopic string // dead letters; default tingke.transcripts.dead
	Group     string // consumer group; default tingke
	SASL      SASLConfig
	TLS       TLSConfig
}

// SASLConfig is how to log in; the zero value does not.
type SASLConfig struct {
	Mechanism    string // "", plain, scram-sha-256 or scram-sha-512
	User         string
	Password     string
	PasswordFile string // read at start where Password is empty; a final line break is left out
}

// TLSConfig is how to encrypt; the zero value does not.
type TLSConfig struct {
	Enabled    bool
	CAFile     string // PEM; the system's authorities where empty
	CertFile   string // PEM, with KeyFile: the client's own certificate
	KeyFile    string
	ServerName string // where it is not the host of the address
}

func (c TLSConfig) files() tlsfile.Files {
	return tlsfile.Files{CAFile: c.CAFile, CertFile: c.CertFile, KeyFile: c.KeyFile, ServerName: c.ServerName}
}

// maxRecordBytes is what a message of schemas.MaxMessageBytes can take with key and headers.
const maxRecordBytes = schemas.MaxMessageBytes + 4<<20

func (c *KafkaConfig) setDefaults() {
	if c.Topic == "" {
		c.Topic = "tingke.transcripts"
	}
	if c.DeadTopic == "" {
		c.DeadTopic = c.Topic + ".dead"
	}
	if c.Group == "" {
		c.Group = "tingke"
	}
}

// Validate reports everything that is wrong, by the keys of tingke.yaml.
func (c *KafkaConfig) Validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if len(c.Brokers) == 0 {
		bad("kafka.brokers: no address given; set KAFKA_BROKERS, or use the embedded broker")
	}
	for _, b := range c.Brokers {
		if _, _, err := net.SplitHostPort(b); err != nil {
			bad("kafka.brokers: %q is no host:port", b)
		}
	}
	if c.DeadTopic != "" && c.DeadTopic == c.Topic {
		bad("kafka.dead_letter_topic: must not be kafka.topic, or every bad message would come back")
	}
	switch c.SASL.Mechanism {
	case "":
		if c.SASL.User != "" {
			bad("kafka.sasl.mechanism: is empty although a user is given; one of plain, scram-sha-256, scram-sha-512")
		}
	case "plain", "scram-sha-256", "scram-sha-512":
		if c.SASL.User == "" {
			bad("kafka.sasl.user: is empty")
		}
		if c.SASL.Password == "" && c.SASL.PasswordFile == "" {
			bad("kafka.sasl.password_file: is empty")
		}
	default:
		bad("kafka.sasl.mechanism: %q is unknown, one of plain, scram-sha-256, scram-sha-512", c.SASL.Mechanism)
	}
	if err := c.TLS.files().Check("kafka.tls"); err != nil {
		errs = append(errs, err)
	}
	if !c.TLS.Enabled && (c.TLS.CAFile != "" || c.TLS.CertFile != "" || c.TLS.ServerName != "") {
		bad("kafka.tls.enabled: is false although other kafka.tls settings are given")
	}
	return errors.Join(errs...)
}

// access is a KafkaConfig with its secrets read, as kafka-go wants it.
type access struct {
	mechanism sasl.Mechanism
	password  string
	tls       *tls.Config
}

func (c *KafkaConfig) access() (*access, error) {
	a := &access{}
	if c.SASL.Mechanism != "" {
		password := c.SASL.Password
		if password == "" {
			var err error
			if password, err = tlsfile.Secret("kafka.sasl.password_file", c.SASL.PasswordFile); err != nil {
				return nil, err
			}
		}
		a.password = password
		var err error
		switch c.SASL.Mechanism {
		case "plain":
			a.mechanism = plain.Mechanism{Username: c.SASL.User, Password: password}
		case "scram-sha-256":
			a.mechanism, err = scram.Mechanism(scram.SHA256, c.SASL.User, password)
		case "scram-sha-512":
			a.mechanism, err = scram.Mechanism(scram.SHA512, c.SASL.User, password)
		}
		if err != nil {
			return nil, fmt.Errorf("kafka.sasl: %w", err)
		}
	}
	if c.TLS.Enabled {
		var err error
		if a.tls, err = c.TLS.files().Config("kafka.tls"); err != nil {
			return nil, err
		}
	}
	return a, nil
}

func (a *access) dialer() *kafka.Dialer {
	return &kafka.Dialer{ClientID: "tingke", Timeout: 10 * time.Second, DualStack: true, SASLMechanism: a.mechanism, TLS: a.tls}
}

// transport makes a connection pool; its owner calls CloseIdleConnections.
func (a *access) transport() *kafka.Transport {
	return &kafka.Transport{ClientID: "tingke", DialTimeout: 10 * time.Second, SASL: a.mechanism, TLS: a.tls}
}
