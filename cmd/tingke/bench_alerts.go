package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"github.com/tingke/tingke/pipeline/alert"
	"github.com/tingke/tingke/pipeline/httpd"
	"github.com/tingke/tingke/pipeline/stream"
	"github.com/tingke/tingke/schemas"
)

type benchAlertsOptions struct {
	rate       int
	seconds    int
	every      int
	background int
	seed       uint64
	profile    string
}

// benchAlertsResult is what `bench alerts --json` prints. Latencies are from the call that produces the turn to the
// arrival of its alert at a webhook in another process, both by the clock of this machine.
type benchAlertsResult struct {
	P50MS       float64 `json:"p50_ms"`
	P90MS       float64 `json:"p90_ms"`
	P99MS       float64 `json:"p99_ms"`
	MaxMS       float64 `json:"max_ms"`
	DecidedP50  float64 `json:"decided_p50_ms"` // from the produce call to the decision; the rest is storing and sending
	DecidedP99  float64 `json:"decided_p99_ms"`
	Alerts      int     `json:"alerts"`   // turns produced that must alert
	Received    int     `json:"received"` // of these, received at least once
	Repeated    int     `json:"repeated"` // received more than once
	Signed      bool    `json:"signed"`   // every signature was right
	TurnsPerS   float64 `json:"turns_per_s"`
	Seconds     float64 `json:"seconds"`
	StoredTurns uint64  `json:"stored_turns"` // in the store at the end
	PageQueries int64   `json:"page_queries"`
	PageP50MS   float64 `json:"page_p50_ms"`
	Processors  int     `json:"processors"`
	PeakRSSMB   float64 `json:"peak_rss_mb"`
}

func (a *app) benchAlertsCommand() *cobra.Command {
	o := benchAlertsOptions{}
	receive := false
	c := &cobra.Command{
		Use:   "alerts",
		Short: "Latency of live alerts: from the produce call to a webhook in another process",
		Long: "Starts the embedded broker and engine in a fresh folder with the worker as configured, and a second process that receives a\n" +
			"signed webhook. Then live sessions are produced at --rate turns a second, turn by turn, while one page query (the newest\n" +
			"flagged sessions) runs all the time over a store that already holds --background sessions. Every --every turns an agent says\n" +
			"something forbidden; the time from the call that produces it to the arrival of its alert is a latency.",
		Example: "  tingke bench alerts --json\n  tingke bench alerts --rate 500 --seconds 60 --profile alerts.pprof",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if receive {
				return receiveAlerts(c.Context(), os.Stdin, a.out)
			}
			r, err := a.benchAlerts(c.Context(), o)
			if err != nil {
				return err
			}
			if a.json {
				return json.NewEncoder(a.out).Encode(r)
			}
			b, err := json.MarshalIndent(r, "", "  ")
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(a.out, "%s\n", b)
			return err
		},
	}
	f := c.Flags()
	f.IntVar(&o.rate, "rate", 500, "turns a second")
	f.IntVar(&o.seconds, "seconds", 40, "how long, after a start of 5 s that is not counted")
	f.IntVar(&o.every, "every", 25, "one turn in so many alerts")
	f.IntVar(&o.background, "background", 20000, "sessions stored before (about 15 turns each)")
	f.Uint64Var(&o.seed, "seed", 1, "seed of the generated sessions")
	f.StringVar(&o.profile, "profile", "", "write a CPU profile of the measured time to this file (go tool pprof)")
	f.BoolVar(&receive, "receive", false, "be the process that receives")
	_ = f.MarkHidden("receive")
	return c
}

// received is a line of the receiving process: an alert's session and when it came.
type received struct {
	Session string `json:"session"`
	At      int64  `json:"at"`      // ns since 1970
	Decided int64  `json:"decided"` // when the worker decided it, ns since 1970
	OK      bool   `json:"ok"`      // the signature is right
}

const benchSecret = "secret of the alert benchmark"

// receiveAlerts is the other process: it listens, prints its address, then a line for each alert, until its input ends.
func receiveAlerts(ctx context.Context, in io.Reader, out io.Writer) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	var mu sync.Mutex
	enc := json.NewEncoder(out)
	s := httpd.New(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		at := time.Now()
		b, err := io.ReadAll(r.Body)
		var p alert.Payload
		if err != nil || json.Unmarshal(b, &p) != nil {
			http.Error(w, "no alert", http.StatusBadRequest)
			return
		}
		ok := alert.Verify(benchSecret, r.Header, b, at) == nil
		mu.Lock()
		defer mu.Unlock()
		_ = enc.Encode(received{p.SessionID, at.UnixNano(), p.StoredAt.UnixNano(), ok}) // the bench is gone where nobody reads
	}), httpd.Limits{BodyBytes: 1 << 20}, slog.Default(), slog.LevelDebug)
	fmt.Fprintln(out, "http://"+l.Addr().String())
	go func() {
		_, _ = io.Copy(io.Discard, in)
		_ = s.Close()
	}()
	stop := context.AfterFunc(ctx, func() { _ = s.Close() })
	defer stop()
	if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// startReceiver starts the other process; lines are given to take.
func startReceiver(ctx context.Context, take func(received)) (address string, stop func() error, err error) {
	self, err := os.Executable()
	if err != nil {
		return "", nil, err
	}
	cmd := exec.CommandContext(ctx, self, "bench", "alerts", "--receive")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return "", nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return "", nil, err
	}
	if err := cmd.Start(); err != nil {
		return "", nil, fmt.Errorf("cannot start the receiving process: %w", err)
	}
	lines := bufio.NewScanner(out)
	if !lines.Scan() {
		_ = in.Close()
		return "", nil, errors.Join(errors.New("the receiving process says nothing"), cmd.Wait())
	}
	address = lines.Text()
	read := make(chan struct{})
	go func() {
		defer close(read)
		for lines.Scan() {
			var r received
			if json.Unmarshal(lines.Bytes(), &r) == nil {
				take(r)
			}
		}
	}()
	return address, func() error {
		_ = in.Close()
		<-read
		return cmd.Wait()
	}, nil
}

func (a *app) benchAlerts(ctx context.Context, o benchAlertsOptions) (result *benchAlertsResult, err error) {
	if o.rate < 1 || o.seconds < 1 || o.every < 1 || o.background < 0 {
		return nil, usagef("--rate, --seconds and --every must be at least 1, --background at least 0")
	}
	dir, err := os.MkdirTemp("", "tingke-bench-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)

	var mu sync.Mutex
	came := map[string][]received{}
	address, stopReceiver, err := startReceiver(ctx, func(r received) {
		mu.Lock()
		defer mu.Unlock()
		came[r.Session] = append(came[r.Session], r)
	})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, stopReceiver()) }()

	bench := *a
	bench.dir = dir
	config := *a.config
	config.Alerts.Enabled, config.Alerts.MinSeverity, config.Alerts.Rules = true, alert.SeverityNone, []string{"forbidden"}
	config.Alerts.Correlations = nil
	bench.config = &config
	if err := os.Setenv("TINGKE_BENCH_SECRET", benchSecret); err != nil {
		return nil, err
	}
	config.Alerts.Targets = []AlertTarget{{Name: "bench", Type: targetWebhook, URL: address, SecretEnv: "TINGKE_BENCH_SECRET"}}

	kafkaConfig, release, err := bench.kafka(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, release()) }()
	s, err := bench.openStore(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	w, err := bench.newWorker(ctx, kafkaConfig, s, []string{"standard"}, newRegistry())
	if err != nil {
		return nil, err
	}
	work, stopWorker := context.WithCancel(ctx)
	var running sync.WaitGroup
	var runErr error
	running.Go(func() { runErr = w.Run(work) })
	defer func() {
		stopWorker()
		running.Wait()
		err = errors.Join(err, runErr)
	}()
	producer, err := stream.NewProducer(kafkaConfig, "", a.log)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, producer.Close()) }()

	r := &benchAlertsResult{Processors: runtime.GOMAXPROCS(0), Signed: true}
	gen := newCorpus(o.seed)
	if err := benchBackground(ctx, producer, w.Worker, gen, o.background); err != nil {
		return nil, err
	}
	if !a.json {
		fmt.Fprintf(a.err, "%d sessions are stored; %d turns/s for %d s\n", o.background, o.rate, o.seconds)
	}

	pages, stopPages := context.WithCancel(ctx)
	var querying sync.WaitGroup
	var took []float64
	querying.Go(func() {
		for pages.Err() == nil {
			began := time.Now()
			if benchPage(pages, s) == nil {
				took = append(took, alertMS(time.Since(began)))
			}
		}
	})
	sent, err := benchProduce(ctx, producer, gen, o, r)
	stopPages()
	querying.Wait()
	if err != nil {
		return nil, err
	}

	// What is on its way gets a moment.
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		mu.Lock()
		missing := 0
		for id := range sent {
			if len(came[id]) == 0 {
				missing++
			}
		}
		mu.Unlock()
		if missing == 0 {
			break
		}
	}
	if _, err := w.EndInput(ctx); err != nil {
		return nil, err
	}
	if err := s.Conn().QueryRow(ctx, "SELECT sum(turns) FROM sessions").Scan(&r.StoredTurns); err != nil {
		return nil, err
	}
	mu.Lock()
	defer mu.Unlock()
	var latencies, decided []float64
	for id, at := range sent {
		list := came[id]
		r.Alerts++
		if len(list) == 0 {
			continue
		}
		r.Received++
		if len(list) > 1 {
			r.Repeated++
		}
		r.Signed = r.Signed && list[0].OK
		latencies = append(latencies, alertMS(time.Unix(0, list[0].At).Sub(at)))
		decided = append(decided, alertMS(time.Unix(0, list[0].Decided).Sub(at)))
	}
	slices.Sort(latencies)
	r.P50MS, r.P90MS, r.P99MS, r.MaxMS = alertQuantile(latencies, .5), alertQuantile(latencies, .9), alertQuantile(latencies, .99), alertQuantile(latencies, 1)
	slices.Sort(decided)
	r.DecidedP50, r.DecidedP99 = alertQuantile(decided, .5), alertQuantile(decided, .99)
	slices.Sort(took)
	r.PageQueries, r.PageP50MS, r.PeakRSSMB = int64(len(took)), alertQuantile(took, .5), peakRSS()
	return r, nil
}

func alertMS(d time.Duration) float64 { return schemas.Round4(d.Seconds() * 1000) }

// alertQuantile of a sorted list, the nearest rank.
func alertQuantile(sorted []float64, q float64) float64 {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(len(sorted)-1, int(q*float64(len(sorted))))]
}

// benchPage is the page that supervisors look at.
func benchPage(ctx context.Context, s *store) error {
	rows, err := s.Conn().Query(ctx, "SELECT session_id, shop, team, score, experience, severity FROM sessions WHERE flagged AND state = 'closed' ORDER BY started_at DESC LIMIT 50")
	if err != nil {
		return err
	}
	for rows.Next() {
	}
	return errors.Join(rows.Err(), rows.Close())
}

// benchBackground stores sessions that were there before.
func benchBackground(ctx context.Context, producer *stream.Producer, w *stream.Worker, gen *corpus, n int) error {
	var records []stream.Record
	for i := range n {
		m := gen.session(i)
		records = append(records, stream.Record{Key: []byte(stream.KeyOf(m)), Value: m.AppendJSON(nil)})
		if len(records) == 500 || i == n-1 {
			if err := producer.Send(ctx, records...); err != nil {
				return err
			}
			records = records[:0]
		}
	}
	if _, err := w.EndInput(ctx); err != nil {
		return fmt.Errorf("the worker did not store what was there before: %w", err)
	}
	return nil
}

// benchSaid is what the agents say that must not be said, by the standard pack.
const benchSaid = "你滚吧，爱买不买"

// benchProduce sends the turns of live sessions at the rate; sessions end and others begin. It gives when the calls were
// made that must alert, by session, without those of the start.
func benchProduce(ctx context.Context, producer *stream.Producer, gen *corpus, o benchAlertsOptions, r *benchAlertsResult) (map[string]time.Time, error) {
	const warm = 5 * time.Second
	type chat struct {
		id    string
		turns []schemas.Turn
		next  int
	}
	born := 0
	begin := func() *chat {
		m := gen.session(1_000_000 + born)
		born++
		return &chat{id: fmt.Sprintf("live-%06d", born), turns: m.Session.Turns}
	}
	chats := make([]*chat, 200) // at once
	for i := range chats {
		chats[i] = begin()
	}
	var mu sync.Mutex
	sent := map[string]time.Time{}
	said := map[string]bool{}
	jobs := make(chan func() error, 64)
	var sending sync.WaitGroup
	var failed atomic.Pointer[error]
	for range 16 { // calls take the time of an acknowledged write
		sending.Go(func() {
			for f := range jobs {
				if err := f(); err != nil {
					failed.Store(&err)
				}
			}
		})
	}
	rng := rand.New(rand.NewPCG(o.seed, 3))
	began := time.Now()
	total := time.Duration(o.seconds)*time.Second + warm
	n, counted := 0, 0
	var stopProfile func() error
	for ctx.Err() == nil && failed.Load() == nil {
		due := began.Add(time.Duration(n) * time.Second / time.Duration(o.rate))
		if due.Sub(began) > total {
			break
		}
		if wait := time.Until(due); wait > 0 {
			time.Sleep(wait)
		}
		measured := time.Since(began) > warm
		if measured && stopProfile == nil {
			var err error
			if stopProfile, err = startProfile(o.profile, 0); err != nil {
				return nil, err
			}
		}
		c := chats[n%len(chats)]
		t := c.turns[c.next]
		t.Seq, t.At = schemas.Some(int64(c.next+1)), time.Now()
		alerts := rng.IntN(o.every) == 0 && !said[c.id] && c.next > 0
		if alerts {
			t.Role, t.Text = schemas.Agent, benchSaid
			said[c.id] = true
		} else if strings.Contains(t.Text, "滚") {
			t.Text = "好的"
		}
		id, last := c.id, c.next == len(c.turns)-1
		if c.next++; last {
			chats[n%len(chats)] = begin()
		}
		jobs <- func() error {
			m := &schemas.Message{Type: schemas.TypeTurn, Turn: &schemas.LiveTurn{SessionID: id, Turn: t}}
			at := time.Now()
			if alerts && measured {
				mu.Lock()
				sent[id] = at
				mu.Unlock()
			}
			err := producer.Send(ctx, stream.Record{Key: []byte(id), Value: m.AppendJSON(nil)})
			if err == nil && last {
				e := &schemas.Message{Type: schemas.TypeEnd, End: &schemas.End{SessionID: id, At: t.At}}
				err = producer.Send(ctx, stream.Record{Key: []byte(id), Value: e.AppendJSON(nil)})
			}
			return err
		}
		n++
		if measured {
			counted++
		}
	}
	close(jobs)
	sending.Wait()
	r.Seconds = schemas.Round4((time.Since(began) - warm).Seconds())
	r.TurnsPerS = schemas.Round4(float64(counted) / r.Seconds)
	if stopProfile != nil {
		if err := stopProfile(); err != nil {
			return nil, err
		}
	}
	if err := failed.Load(); err != nil {
		return nil, *err
	}
	return sent, ctx.Err()
}
