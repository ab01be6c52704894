// Package apachekafka runs a real Apache Kafka on this machine for tests: one broker in KRaft mode, fetched once from
// Maven Central into the folder .cache of the repository. It needs Java 17 or newer, and Maven for the first fetch.
//
// It is for tests only; nothing of the product imports it. It imports nothing of this module.
package apachekafka

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// Version is the release that is fetched. It is pinned: the lowest versions of several calls that kafka-go makes are the
// lowest that this release still takes.
const Version = "4.4.0"

// ErrMissing says that Java, or what fetches Kafka, is not on this machine.
var ErrMissing = errors.New("real Apache Kafka cannot be run here")

// pom names the broker without its command line tools, and something for it to log with.
const pom = `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>com.github.tingke</groupId><artifactId>test-kafka</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies>
    <dependency>
      <groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>` + Version + `</version>
      <exclusions><exclusion><groupId>org.apache.kafka</groupId><artifactId>kafka-tools-api</artifactId></exclusion></exclusions>
    </dependency>
    <dependency><groupId>org.apache.logging.log4j</groupId><artifactId>log4j-slf4j-impl</artifactId><version>2.25.5</version></dependency>
  </dependencies>
</project>
`

const logging = `<?xml version="1.0" encoding="UTF-8"?>
<Configuration status="WARN">
  <Appenders><Console name="out"><PatternLayout pattern="%d %p %c{1} %m%n"/></Console></Appenders>
  <Loggers><Root level="WARN"><AppenderRef ref="out"/></Root></Loggers>
</Configuration>
`

// repository is the root of the checkout this package was built from.
func repository() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(file), "..", "..", "..")
}

// Fetch gives the folder of Kafka's jars and gets them where they are not there yet (45 MB). The error is ErrMissing where
// this machine cannot.
func Fetch(ctx context.Context) (lib string, err error) {
	if _, err := exec.LookPath("java"); err != nil {
		return "", fmt.Errorf("%w: there is no java; apt-get install default-jre-headless", ErrMissing)
	}
	dir := filepath.Join(repository(), ".cache", "kafka", Version)
	lib = filepath.Join(dir, "lib")
	if _, err := os.Stat(lib); err == nil {
		return lib, nil
	}
	if _, err := exec.LookPath("mvn"); err != nil {
		return "", fmt.Errorf("%w: there is no mvn to fetch it with; apt-get install maven", ErrMissing)
	}
	// Another test may fetch at the same time: each has a folder of its own, the first one to finish gives it its name.
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	tmp, err := os.MkdirTemp(dir, "fetch-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(tmp)
	path := filepath.Join(tmp, "pom.xml")
	if err := os.WriteFile(path, []byte(pom), 0o600); err != nil {
		return "", err
	}
	jars := filepath.Join(tmp, "lib")
	cmd := exec.CommandContext(ctx, "mvn", "-B", "-ntp", "-q", "-f", path,
		"org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies", "-DincludeScope=runtime", "-DoutputDirectory="+jars)
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w: mvn cannot fetch it: %w\n%s", ErrMissing, err, tail(out))
	}
	if err := os.Rename(jars, lib); err != nil {
		if _, there := os.Stat(lib); there != nil {
			return "", err
		}
	}
	return lib, nil
}

// Kafka is one broker. Its methods are for one goroutine.
type Kafka struct {
	// Addr is where clients connect, host:port on the loopback.
	Addr string

	lib, dir string
	cmd      *exec.Cmd
	done     chan struct{} // closed when the process has ended
}

// Start fetches Kafka where need be and runs a broker whose data lie in dir. It returns when the broker takes
// connections. Topics are not made by themselves.
func Start(ctx context.Context, dir string) (*Kafka, error) {
	lib, err := Fetch(ctx)
	if err != nil {
		return nil, err
	}
	ports, err := freePorts(2)
	if err != nil {
		return nil, err
	}
	k := &Kafka{Addr: fmt.Sprint("127.0.0.1:", ports[0]), lib: lib, dir: dir}
	data := filepath.Join(dir, "data")
	properties := fmt.Sprintf(`process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:%[2]d
listeners=PLAINTEXT://127.0.0.1:%[1]d,CONTROLLER://127.0.0.1:%[2]d
advertised.listeners=PLAINTEXT://127.0.0.1:%[1]d
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs=%[3]s
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
log.cleaner.dedupe.buffer.size=16777216
broker.session.timeout.ms=4000
broker.heartbeat.interval.ms=500
log.retention.ms=-1
file.delete.delay.ms=1000
message.max.bytes=20971520
`, ports[0], ports[1], data)
	for name, text := range map[string]string{"server.properties": properties, "log4j2.xml": logging} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			return nil, err
		}
	}
	// The id of the cluster is 16 bytes in base64; any will do.
	format := exec.CommandContext(ctx, "java", "-cp", k.lib+"/*", "-Dlog4j2.configurationFile="+filepath.Join(dir, "log4j2.xml"),
		"kafka.tools.StorageTool", "format", "-t", "dGluZ2tlLXRlc3QtMDAwMQ", "-c", filepath.Join(dir, "server.properties"))
	if out, err := format.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("cannot format the data of Kafka: %w\n%s", err, tail(out))
	}
	return k, k.Restart(ctx)
}

// Restart starts the broker after Stop or Kill, on the same address and data, and returns when it takes connections.
func (k *Kafka) Restart(ctx context.Context) error {
	log, err := os.OpenFile(filepath.Join(k.dir, "kafka.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	k.cmd = exec.Command("java", "-Xmx512m", "-Xms128m", "-XX:+UseSerialGC", "-cp", k.lib+"/*",
		"-Dlog4j2.configurationFile="+filepath.Join(k.dir, "log4j2.xml"), "kafka.Kafka", filepath.Join(k.dir, "server.properties"))
	k.cmd.Stdout, k.cmd.Stderr = log, log
	if err := k.cmd.Start(); err != nil {
		return fmt.Errorf("cannot start Kafka: %w", err)
	}
	done := make(chan struct{})
	k.done = done
	go func(cmd *exec.Cmd) {
		_ = cmd.Wait() // how it ended stands in its log
		close(done)
	}(k.cmd)
	for {
		conn, err := net.DialTimeout("tcp", k.Addr, time.Second)
		if err == nil {
			return conn.Close()
		}
		select {
		case <-ctx.Done():
			k.Kill()
			return fmt.Errorf("Kafka does not listen on %s: %w\n%s", k.Addr, ctx.Err(), k.log())
		case <-done:
			return fmt.Errorf("Kafka ended while starting\n%s", k.log())
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// Kill ends the broker as a crash would.
func (k *Kafka) Kill() {
	_ = k.cmd.Process.Kill() // an error says that it is gone
	<-k.done
}

// Stop ends the broker as an operator would; one that does not end within 30 s is killed.
func (k *Kafka) Stop() {
	_ = k.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-k.done:
	case <-time.After(30 * time.Second):
		k.Kill()
	}
}

func (k *Kafka) log() string {
	b, err := os.ReadFile(filepath.Join(k.dir, "kafka.log"))
	if err != nil {
		return err.Error()
	}
	return tail(b)
}

func tail(b []byte) string {
	const most = 3000
	return strings.TrimSpace(string(b[max(0, len(b)-most):]))
}

// freePorts finds ports that nobody listens on.
func freePorts(n int) ([]int, error) {
	var ports []int
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer l.Close() // all at once, so that no port comes twice
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports, nil
}
