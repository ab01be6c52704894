// Package broker hosts the embedded Kafka-protocol broker: franz-go's kfake with a data folder, on a loopback port. It
// keeps records and committed offsets across a kill of the process.
//
// It knows nothing of messages or sessions and imports nothing of this module. It is a broker for one machine: for more
// load, point KAFKA_BROKERS at a Kafka cluster.
package broker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kfake"
)

// The topics of the product.
const (
	TopicTranscripts = "tingke.transcripts"
	TopicDead        = "tingke.transcripts.dead"
	TopicAlerts      = "tingke.alerts"
	TopicReruns      = "tingke.reruns"
)

// DefaultPartitions is the number of partitions of the transcripts topic.
const DefaultPartitions = 4

// maxBatchBytes lets a message of 16 MiB through, with its headers and the overhead of a batch.
const maxBatchBytes = 20 << 20

// Files in the folder given as Options.Dir.
const (
	dataFolder = "broker"
	lockFile   = "broker.lock"
	infoFile   = "broker.json"
)

// Options of an embedded broker. Only Dir is needed.
type Options struct {
	// Dir is the deployment's folder (--dir); the broker keeps its data in Dir/broker.
	Dir string
	// Addr is the loopback address to listen on, such as 127.0.0.1:9092. Empty takes the port of the last time, else
	// any free one.
	Addr string
	// Partitions of the transcripts topic, DefaultPartitions if 0. A topic that exists keeps what it has.
	Partitions int
	// Sync makes every produced batch durable against power loss, not only against a kill, and much slower.
	Sync bool
	// Retention is how long records stay, 7 days if 0, for ever if negative.
	Retention time.Duration
	// MinSessionTimeout is the shortest session timeout a consumer may ask for, 1 s if 0.
	MinSessionTimeout time.Duration
	// Log receives what the broker warns of; nil discards it.
	Log *slog.Logger
}

// Validate says what is wrong with the options.
func (o *Options) Validate() error {
	var errs []error
	if o.Dir == "" {
		errs = append(errs, errors.New("broker: no folder given (--dir)"))
	}
	if o.Addr != "" {
		host, port, err := net.SplitHostPort(o.Addr)
		ip := net.ParseIP(host)
		switch {
		case err != nil:
			errs = append(errs, fmt.Errorf("broker: address %q: %w", o.Addr, err))
		case ip == nil || !ip.IsLoopback() || ip.To4() == nil:
			errs = append(errs, fmt.Errorf("broker: address %q is not on 127.0.0.1: the embedded broker holds unmasked texts and asks for no password; use a Kafka server for other machines", o.Addr))
		default:
			if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65535 {
				errs = append(errs, fmt.Errorf("broker: address %q has no usable port", o.Addr))
			}
		}
	}
	if o.Partitions < 0 || o.Partitions > 1024 {
		errs = append(errs, fmt.Errorf("broker: %d partitions, want 1 to 1024", o.Partitions))
	}
	return errors.Join(errs...)
}

// ErrLocked says that another process hosts the broker of this folder.
var ErrLocked = errors.New("another process hosts the broker of this folder")

// Info is what broker.json says about the process that hosts the broker.
type Info struct {
	Addr string `json:"address"`
	PID  int    `json:"pid"`
}

// Broker is a running embedded broker. Its methods are safe for concurrent use.
type Broker struct {
	cluster  *kfake.Cluster
	timeouts *timeouts
	lock     *os.File
	addr     string
	close    sync.Once
}

// Start hosts the broker of a folder in this process until Close, and makes the topics of the product. ctx bounds the
// start only. The error is ErrLocked where another process hosts it.
func Start(ctx context.Context, o Options) (*Broker, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("cannot make the broker's folder: %w", err)
	}
	lock, err := takeLock(filepath.Join(o.Dir, lockFile))
	if err != nil {
		return nil, err
	}
	b := &Broker{lock: lock}
	if err := b.start(ctx, o); err != nil {
		b.Close()
		return nil, err
	}
	return b, nil
}

func (b *Broker) start(ctx context.Context, o Options) error {
	retention, session := o.Retention, o.MinSessionTimeout
	if retention == 0 {
		retention = 7 * 24 * time.Hour
	}
	retentionMS := "-1"
	if retention > 0 {
		retentionMS = strconv.FormatInt(retention.Milliseconds(), 10)
	}
	if session == 0 {
		session = time.Second
	}
	data := filepath.Join(o.Dir, dataFolder)
	if err := os.MkdirAll(data, 0o700); err != nil {
		return fmt.Errorf("cannot make the broker's folder: %w", err)
	}
	opts := []kfake.Opt{
		kfake.NumBrokers(1), kfake.ClusterID("tingke"), kfake.DataDir(data),
		kfake.GroupMinSessionTimeout(session),
		kfake.WithLogger(logger{o.Log}),
		kfake.BrokerConfigs(map[string]string{
			"message.max.bytes": strconv.Itoa(maxBatchBytes),
			"log.retention.ms":  retentionMS,
		}),
	}
	if o.Sync {
		opts = append(opts, kfake.SyncWrites())
	}
	var err error
	for _, port := range ports(o) {
		if b.cluster, err = kfake.NewCluster(append(opts[:len(opts):len(opts)], kfake.Ports(port))...); err == nil {
			break
		}
	}
	if err != nil {
		return fmt.Errorf("cannot start the embedded broker in %s: %w", data, err)
	}
	b.addr = b.cluster.ListenAddrs()[0]
	b.timeouts = b.watchTimeouts(o.Log)
	if err := ensureTopics(ctx, b.addr, o.Partitions); err != nil {
		return err
	}
	return writeInfo(o.Dir, Info{Addr: b.addr, PID: os.Getpid()})
}

// ports lists the ports to try. The port of the last time comes first, so that clients of a broker that was killed find
// it again.
func ports(o Options) []int {
	if o.Addr != "" {
		_, port, _ := net.SplitHostPort(o.Addr)
		n, _ := strconv.Atoi(port)
		return []int{n}
	}
	if info, err := readInfo(o.Dir); err == nil {
		if _, port, err := net.SplitHostPort(info.Addr); err == nil {
			if n, err := strconv.Atoi(port); err == nil && n > 0 {
				return []int{n, 0}
			}
		}
	}
	return []int{0}
}

// ensureTopics makes the topics that are not there.
func ensureTopics(ctx context.Context, addr string, partitions int) error {
	if partitions == 0 {
		partitions = DefaultPartitions
	}
	transport := &kafka.Transport{}
	defer transport.CloseIdleConnections()
	client := &kafka.Client{Addr: kafka.TCP(addr), Timeout: 10 * time.Second, Transport: transport}
	topics := []kafka.TopicConfig{
		{Topic: TopicTranscripts, NumPartitions: partitions, ReplicationFactor: 1},
		{Topic: TopicDead, NumPartitions: 1, ReplicationFactor: 1},
		{Topic: TopicAlerts, NumPartitions: 1, ReplicationFactor: 1},
		{Topic: TopicReruns, NumPartitions: partitions, ReplicationFactor: 1},
	}
	resp, err := client.CreateTopics(ctx, &kafka.CreateTopicsRequest{Topics: topics})
	if err != nil {
		return fmt.Errorf("cannot make the topics of the embedded broker: %w", err)
	}
	for topic, err := range resp.Errors {
		if err != nil && !errors.Is(err, kafka.TopicAlreadyExists) {
			return fmt.Errorf("cannot make topic %s of the embedded broker: %w", topic, err)
		}
	}
	return nil
}

// Addr is the address clients connect to, host:port.
func (b *Broker) Addr() string { return b.addr }

// Cluster is the fake cluster inside, for tests that need to break it.
func (b *Broker) Cluster() *kfake.Cluster { return b.cluster }

// Close stops the broker and gives the folder back. Records and offsets are on disk.
func (b *Broker) Close() error {
	b.close.Do(func() {
		if b.timeouts != nil {
			b.timeouts.close()
		}
		if b.cluster != nil {
			b.cluster.Close()
		}
		b.lock.Close() // ends the lock; the file stays, or two processes could each lock their own
	})
	return nil
}

func writeInfo(dir string, info Info) error {
	b, err := json.Marshal(info)
	if err != nil {
		return err
	}
	path := filepath.Join(dir, infoFile)
	tmp := path + ".new"
	if err := os.WriteFile(tmp, append(b, '\n'), 0o600); err != nil {
		return fmt.Errorf("cannot write %s: %w", path, err)
	}
	if err := os.Rename(tmp, path); err != nil {
		return fmt.Errorf("cannot write %s: %w", path, err)
	}
	return nil
}

func readInfo(dir string) (Info, error) {
	var info Info
	path := filepath.Join(dir, infoFile)
	b, err := os.ReadFile(path)
	if err != nil {
		return info, err
	}
	if err := json.Unmarshal(b, &info); err != nil {
		return info, fmt.Errorf("cannot read %s: %w", path, err)
	}
	return info, nil
}

// Handle is access to the broker of a folder, hosted here or elsewhere.
type Handle struct {
	// Addr is the address to connect to.
	Addr string
	// Broker is set where this process hosts it.
	Broker *Broker
}

// Hosted says whether this process hosts the broker.
func (h *Handle) Hosted() bool { return h.Broker != nil }

// Close stops the broker if this process hosts it.
func (h *Handle) Close() error {
	if h.Broker == nil {
		return nil
	}
	return h.Broker.Close()
}

// Acquire gives access to the broker of a folder: the first process hosts it, others get the address of the one that
// does. It waits for a host that is just starting, or takes over from one that is just ending, until ctx is done or 15 s
// have passed.
func Acquire(ctx context.Context, o Options) (*Handle, error) {
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	var problem error
	for {
		b, err := Start(ctx, o)
		if err == nil {
			return &Handle{Addr: b.Addr(), Broker: b}, nil
		}
		if !errors.Is(err, ErrLocked) {
			return nil, err
		}
		info, err := readInfo(o.Dir)
		if err == nil {
			var conn net.Conn
			if conn, err = (&net.Dialer{Timeout: time.Second}).DialContext(ctx, "tcp", info.Addr); err == nil {
				conn.Close()
				return &Handle{Addr: info.Addr}, nil
			}
		}
		if !errors.Is(err, fs.ErrNotExist) {
			problem = err
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("the process that holds %s does not answer (%w): end it and try again", filepath.Join(o.Dir, lockFile), errors.Join(problem, ctx.Err()))
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// logger passes the fake cluster's warnings on.
type logger struct{ log *slog.Logger }

func (l logger) Logf(level kfake.LogLevel, format string, args ...any) {
	if l.log == nil {
		return
	}
	switch level {
	case kfake.LogLevelError:
		l.log.Error("broker: " + fmt.Sprintf(format, args...))
	case kfake.LogLevelWarn:
		l.log.Warn("broker: " + fmt.Sprintf(format, args...))
	case kfake.LogLevelInfo:
		if l.log.Enabled(context.Background(), slog.LevelDebug) {
			l.log.Debug("broker: " + fmt.Sprintf(format, args...))
		}
	}
}
