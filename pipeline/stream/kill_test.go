package stream

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/rpc"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/tingke/tingke/pipeline/assemble"
	"github.com/tingke/tingke/pipeline/failpoint"
)

// remoteStore gives a child process the store of its parent, so that killing the child leaves the store alone.
type remoteStore struct{ *rpc.Client }

func (r remoteStore) StoredVersions(_ context.Context, ids []string) (out map[string]StoredVersion, err error) {
	return out, r.Call("Store.StoredVersions", ids, &out)
}

func (r remoteStore) LoadStates(_ context.Context, ids []string) (out map[string]*assemble.State, err error) {
	return out, r.Call("Store.LoadStates", ids, &out)
}

// Write has two steps, with the place between them at which the real store can die.
func (r remoteStore) Write(_ context.Context, b Batch) error {
	var none int
	if err := r.Call("Store.WriteAnalyses", b, &none); err != nil {
		return err
	}
	failpoint.Hit(failpoint.BetweenInserts)
	return r.Call("Store.Write", b, &none)
}

// StoreService is the parent's side.
type StoreService struct{ store *memStore }

func (s *StoreService) StoredVersions(ids []string, out *map[string]StoredVersion) (err error) {
	*out, err = s.store.StoredVersions(context.Background(), ids)
	return err
}

func (s *StoreService) LoadStates(ids []string, out *map[string]*assemble.State) (err error) {
	*out, err = s.store.LoadStates(context.Background(), ids)
	return err
}

func (s *StoreService) WriteAnalyses(b Batch, _ *int) error {
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	for _, x := range b.Sessions {
		if old := s.store.analyses[x.State.SessionID]; old == nil || x.Analysis.Version >= old.Version {
			s.store.analyses[x.State.SessionID] = x.Analysis
		}
	}
	return nil
}

func (s *StoreService) Write(b Batch, _ *int) error { return s.store.Write(context.Background(), b) }

func killOptions(t testing.TB, c *cluster, store Store) Options {
	o := testOptions(t, c, store)
	o.SessionTimeout, o.StopTimeout = time.Second, 500*time.Millisecond
	o.EarlyWrite = 100 * time.Millisecond
	return o
}

// TestKill kills a worker process at every failpoint and at random moments; another worker takes over and ends up with
// what an undisturbed run stores.
func TestKill(t *testing.T) {
	if addr := os.Getenv("TINGKE_TEST_WORKER"); addr != "" {
		worker(t, &cluster{addr, os.Getenv("TINGKE_TEST_TOPIC")}, os.Getenv("TINGKE_TEST_STORE"))
		return
	}
	for i, name := range failpoint.Names() {
		t.Run(string(name), func(t *testing.T) {
			t.Parallel()
			kill(t, uint64(i), string(name), 0)
		})
	}
	rng := rand.New(rand.NewPCG(77, 1))
	for i := range 4 {
		after := time.Duration(20+rng.IntN(400)) * time.Millisecond
		t.Run(fmt.Sprint("after ", after), func(t *testing.T) {
			t.Parallel()
			kill(t, uint64(100+i), "", after)
		})
	}
}

// worker is the life of the child process.
func worker(t *testing.T, c *cluster, store string) {
	client, err := rpc.Dial("tcp", store)
	if err != nil {
		t.Fatal(err)
	}
	if err := failpoint.Check(); err != nil {
		t.Fatal(err)
	}
	w, err := New(killOptions(t, c, remoteStore{client}))
	if err != nil {
		t.Fatal(err)
	}
	fmt.Println("runs")
	_ = w.Run(testContext(t, time.Minute))
}

func kill(t *testing.T, seed uint64, failpointName string, after time.Duration) {
	b := startBroker(t, 2)
	store := newMemStore()
	lines := append(randomLines(rand.New(rand.NewPCG(seed, 11)), 150), "bad one", "bad two")
	server := rpc.NewServer()
	if err := server.RegisterName("Store", &StoreService{store}); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go server.ServeConn(conn)
		}
	}()

	send(t, b, lines[:len(lines)/2]...)
	cmd := exec.Command(os.Args[0], "-test.run", "^TestKill$")
	cmd.Env = append(os.Environ(), "TINGKE_TEST_WORKER="+b.addr, "TINGKE_TEST_TOPIC="+b.topic, "TINGKE_TEST_STORE="+l.Addr().String())
	if failpointName != "" {
		nth := ":2"
		switch failpoint.Name(failpointName) {
		case failpoint.OnRebalance, failpoint.BeforeDeadLetter, failpoint.AfterDeadLetter:
			nth = "" // passed once a generation, or once for all bad messages of a flush
		}
		cmd.Env = append(cmd.Env, failpoint.Env+"="+failpointName+nth)
	}
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	died := make(chan error, 1)
	go func() { died <- cmd.Wait() }()
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	if after > 0 {
		time.Sleep(after)
		_ = cmd.Process.Kill()
	}
	// The other half comes while it reads.
	time.Sleep(200 * time.Millisecond)
	send(t, b, lines[len(lines)/2:]...)
	var next *running
	if failpointName == string(failpoint.OnRebalance) {
		next = start(t, killOptions(t, b, store)) // its joining ends the child's generation
	}
	select {
	case err := <-died:
		if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || status.Signal() != syscall.SIGKILL {
			t.Fatalf("the worker process ended with %v, want SIGKILL:\n%s", err, output.String())
		}
	case <-time.After(20 * time.Second):
		t.Fatalf("the worker process passes no failpoint %s:\n%s", failpointName, output.String())
	}
	if next == nil {
		next = start(t, killOptions(t, b, store))
	}
	endAll(t, []*running{next}, 2)
	compare(t, store, lines)
	next.stop(t)
}
