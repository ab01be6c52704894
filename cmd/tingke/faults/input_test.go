//go:build faults

package faults

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tingke/tingke/pipeline/failpoint"
	"github.com/tingke/tingke/schemas"
)

// TestDisorder: every message comes in any order and up to three times, to two workers, of which one is killed half-way.
func TestDisorder(t *testing.T) {
	t.Parallel()
	onEachKafka(t, func(t *testing.T, k kafkaKind) {
		c := mixed(t)
		d := deploy(t, k, setup{})
		first, second := d.worker(t).joined(t), d.worker(t).joined(t)
		for i, part := range c.disorder(rngFor(t.Name())) {
			d.send(t, part)
			if i == chunksOf/2 {
				first.kill(t)
				first = d.worker(t)
			}
		}
		d.mustEqual(t, c)
		d.stop(t, first.joined(t))
		d.stop(t, second)
		d.close(t)
	})
}

// poison gives messages that no program should choke on.
func poison(i int) []byte {
	kinds := []func() []byte{
		func() []byte { return fmt.Appendf(nil, `{"type":"session","n":%d`, i) },
		func() []byte { return fmt.Appendf(nil, "\x00\xff\xfe not json %d", i) },
		func() []byte { return fmt.Appendf(nil, `{"type":"turn","session_id":"p","seq":"%d","role":"boss"}`, i) },
		func() []byte {
			return fmt.Appendf(nil, `[%s%d%s]`, strings.Repeat("[", 5000), i, strings.Repeat("]", 5000))
		},
		func() []byte {
			return fmt.Appendf(nil, `{"type":"order","order_id":"p%d","shop":"s","status":"paid","updated_at":"2026-11-01T00:00:00Z","amount":"1e400"}`, i)
		},
		func() []byte {
			return fmt.Appendf(nil, `{"type":"rating","session_id":"p%d","score":"good","max":5}`, i)
		},
		func() []byte { return fmt.Appendf(nil, `{"session_id":"p%d","revision":65536,"turns":[]}`, i) },
		func() []byte { return fmt.Appendf(nil, `"%d 电话13900077788"`, i) },
		func() []byte { return fmt.Appendf(nil, `{"type":"end","session_id":%q}`, strings.Repeat("长", 100+i)) },
	}
	return kinds[i%len(kinds)]()
}

// poisoned is the mixed corpus with bursts of bad messages in it; one is empty, one comes in several bursts.
func poisoned(t *testing.T) *corpus {
	t.Helper()
	m := mixed(t)
	c := newCorpus("poisoned")
	for i, chunk := range m.chunks {
		for _, r := range chunk {
			c.put(i, c.record(r.Value))
		}
		if i%8 == 7 {
			for k := range 250 {
				c.add(i, poison(i*1000+k))
			}
			c.add(i, nil)
			c.add(i, []byte("the same in each burst"))
		}
	}
	return c
}

// TestPoisonBursts: hundreds of bad messages in a row do not stop the stream, and each is accounted for although the
// worker dies among them.
func TestPoisonBursts(t *testing.T) {
	t.Parallel()
	c := poisoned(t)
	d := deploy(t, embedded, setup{})
	w := d.worker(t, failpoint.Env+"="+string(failpoint.AfterDeadLetter)+":1") // how many writes there are depends on how fast the machine is
	for i, chunk := range c.chunks {
		d.send(t, chunk)
		switch i {
		case 8:
			w.diedBySIGKILL(t, "the first write of dead letters")
			w = d.worker(t).joined(t)
		case 16:
			w.kill(t)
			w = d.worker(t)
		}
	}
	d.mustEqual(t, c)
	d.stop(t, w)
	d.close(t)
}

// TestTooManyDeadLetters: a topic that holds something else stops the worker, loudly; told to go on, it goes on where it
// stopped.
func TestTooManyDeadLetters(t *testing.T) {
	t.Parallel()
	c := newCorpus("flood")
	c.stream = "dead_letter_stop: 1"
	for i, chunk := range mixed(t).chunks[:4] {
		for _, r := range chunk {
			c.put(2*i, c.record(r.Value))
		}
		for k := range 400 {
			c.add(2*i+1, poison(100_000+i*1000+k))
		}
	}
	// Sessions that end in a later chunk are ended by the idle time.
	d := deploy(t, embedded, setup{})
	w := d.worker(t)
	for _, chunk := range c.chunks {
		d.send(t, chunk)
	}
	select {
	case err := <-w.done:
		var exit *exec.ExitError
		if !errors.As(err, &exit) || !strings.Contains(w.text(), "too many messages cannot be used") {
			t.Fatalf("the worker ended with %v\n%s", err, w.output())
		}
	case <-time.After(patience):
		t.Fatal("the worker goes on although most messages are bad")
	}
	d.setup.stream = c.stream
	w = d.worker(t)
	d.mustEqual(t, c)
	d.stop(t, w)
	d.close(t)
}

// beyond is a corpus of sessions and messages at every bound and one beyond.
func beyond() *corpus {
	c := newCorpus("bounds")
	turn := func(k int) schemas.Turn {
		role := []schemas.Role{schemas.Customer, schemas.Agent}[k%2]
		return schemas.Turn{Seq: schemas.Some(int64(k + 1)), Role: role, Text: fmt.Sprintf("第%d句，怎么还不发货", k+1), At: time.Date(2026, 11, 2, 1, 0, k, 0, time.UTC)}
	}
	session := func(id string, turns ...schemas.Turn) *schemas.Session {
		return &schemas.Session{Meta: schemas.Meta{SessionID: id, StartedAt: time.Date(2026, 11, 2, 1, 0, 0, 0, time.UTC)}, Turns: turns}
	}
	whole := func(chunk int, s *schemas.Session) {
		c.add(chunk, (&schemas.Message{Type: schemas.TypeSession, Session: s}).AppendJSON(nil))
	}
	var many []schemas.Turn
	for k := range schemas.MaxTurns + 50 {
		many = append(many, turn(k))
	}
	c.live(session("bound-turns-live", many...), 0, chunksOf, true)
	whole(3, session("bound-turns-whole", many...))
	text := func(n int) schemas.Turn {
		t := turn(0)
		t.Text = strings.Repeat("慢", n/3) + strings.Repeat("x", n%3)
		return t
	}
	whole(5, session("bound-text", text(schemas.MaxTextBytes)))
	whole(6, session("bound-text-beyond", text(schemas.MaxTextBytes+1))) // a bad message
	// A message of exactly the limit, and one byte more: the last text makes up the length.
	big := func(id string, size int) {
		s := session(id)
		for k := range 15 {
			t := text(schemas.MaxTextBytes)
			t.Seq = schemas.Some(int64(k + 1))
			s.Turns = append(s.Turns, t)
		}
		fill := turn(0)
		fill.Seq, fill.Text = schemas.Some(int64(16)), ""
		s.Turns = append(s.Turns, fill)
		raw := (&schemas.Message{Type: schemas.TypeSession, Session: s}).AppendJSON(nil)
		s.Turns[15].Text = strings.Repeat("y", min(size-len(raw), schemas.MaxTextBytes))
		raw = (&schemas.Message{Type: schemas.TypeSession, Session: s}).AppendJSON(nil)
		c.add(8, append(raw, bytes.Repeat([]byte(" "), size-len(raw))...))
	}
	big("bound-message", schemas.MaxMessageBytes)
	big("bound-message-beyond", schemas.MaxMessageBytes+1) // a bad message
	whole(10, session(strings.Repeat("i", schemas.MaxIDBytes), turn(0)))
	whole(10, session(strings.Repeat("i", schemas.MaxIDBytes+1), turn(0))) // a bad message
	attributes := session("bound-attributes", turn(0))
	attributes.Attributes = map[string]string{}
	for i := range schemas.MaxAttributes + 10 {
		attributes.Attributes[fmt.Sprintf("field%03d", i)] = "v"
	}
	whole(12, attributes)
	last := session("bound-revision", turn(0))
	last.Revision = schemas.MaxSessionRevision
	whole(12, last)
	for i := range chunksOf { // everybody else goes on
		c.live(session(fmt.Sprintf("bystander-%d", i), turn(0), turn(1), turn(2)), i, 3, true)
	}
	return c
}

// TestBounds: what is beyond a bound is cut or refused and said; a worker with room for a mebibyte, killed in between,
// makes of it what an undisturbed one with plenty makes.
func TestBounds(t *testing.T) {
	t.Parallel()
	c := beyond()
	d := deploy(t, embedded, setup{stream: "memory: 1MiB"})
	w := d.worker(t).joined(t)
	for i, chunk := range c.chunks {
		d.send(t, chunk)
		if i == 9 || i == 16 {
			w.kill(t)
			w = d.worker(t)
		}
	}
	d.mustEqual(t, c)
	d.stop(t, w)
	d.close(t)
}

// TestClockJumps: the wall clocks of two workers are hours apart and jump. Sessions may end too soon for it; nothing that
// comes later is lost for that.
func TestClockJumps(t *testing.T) {
	t.Parallel()
	c := mixed(t)
	d := deploy(t, embedded, setup{})
	clock := func(name string) (env string, set func(offset string)) {
		path := filepath.Join(d.dir, "clock-"+name)
		set = func(offset string) {
			if err := os.WriteFile(path, []byte(offset), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		set("0s")
		return failpoint.ClockEnv + "=" + path, set
	}
	envA, setA := clock("a")
	envB, setB := clock("b")
	a, b := d.worker(t, envA).joined(t), d.worker(t, envB).joined(t)
	for i, chunk := range c.chunks {
		d.send(t, chunk)
		switch i % 8 {
		case 1:
			setA("5h")
		case 3:
			setB("-5h")
		case 5:
			setA("-72h")
			setB("8760h")
		case 7: // the sessions in memory go to the other one
			b.kill(t)
			b = d.worker(t, envB)
		}
		time.Sleep(250 * time.Millisecond)
	}
	setA("0s")
	setB("0s")
	d.mustEqual(t, c)
	d.stop(t, a)
	d.stop(t, b.joined(t))
	d.close(t)
}

// pack is a rule pack of this suite; its versions differ in word, severity and points.
func pack(version, word, severity string) string {
	return fmt.Sprintf(`id: faults
version: "%s"
rules:
  - id: faults_word
    name: 提到%s
    severity: %s
    reason: "{text}"
    trigger: {in: {role: customer}, keyword: [%s]}
    tests:
      - {want: present, turns: [{客户: 有没有%[2]s}]}
`, version, word, severity, word)
}

// publish puts a version of the pack into use.
func (d *deployment) publish(t *testing.T, version, word, severity string) {
	t.Helper()
	path := filepath.Join(d.dir, "faults-"+version+".yaml")
	if err := os.WriteFile(path, []byte(pack(version, word, severity)), 0o600); err != nil {
		t.Fatal(err)
	}
	d.command(t, "rules", "publish", path, "--author", "the fault suite")
}

// rules gives the version of the rules that a worker uses.
func (p *process) rules(t *testing.T) string {
	t.Helper()
	resp, err := http.Get("http://" + p.metrics + "/status")
	if err != nil {
		return ""
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return ""
	}
	var s struct {
		RulesVersion string `json:"rules_version"`
	}
	if err := json.Unmarshal(b, &s); err != nil {
		t.Fatalf("/status: %v: %s", err, b)
	}
	return s.RulesVersion
}

// TestNewRulesInMidStream: a pack changes while sessions go on, and the worker is killed right after. Once the period is
// analysed again and the result switched to, nothing tells that it was not in use all the time.
func TestNewRulesInMidStream(t *testing.T) {
	t.Parallel()
	c := newCorpus("rules")
	for i, chunk := range mixed(t).chunks {
		for _, r := range chunk {
			c.put(i, c.record(r.Value))
		}
	}
	final := func(t *testing.T, d *deployment) { d.publish(t, "2", "发货", "major") }
	c.prepare = final
	d := deploy(t, embedded, setup{})
	d.publish(t, "1", "快递", "info")
	w := d.worker(t).joined(t)
	for i, chunk := range c.chunks {
		d.send(t, chunk)
		if i == chunksOf/2 {
			before := w.rules(t)
			final(t, d)
			eventually(t, patience, "the worker takes the new version", func() bool { now := w.rules(t); return now != "" && now != before })
			w.kill(t)
			w = d.worker(t)
		}
	}
	d.settle(t)
	if want, got := undisturbed(t, c), d.views(t); want.Diff(got) == "" {
		t.Error("the views equal those of the later version already: the case proves nothing")
	}
	d.command(t, "rerun", "--from", "2026-01-01", "--to", "2026-12-31", "--switch")
	d.mustEqual(t, c)
	d.stop(t, w)
	d.close(t)
}
