package dashboards

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestListenRefusesWhatOthersReach(t *testing.T) {
	f := func(addr, want string) {
		t.Helper()
		l, err := Server{Addr: addr}.Listen(context.Background())
		if err == nil {
			l.Close()
		}
		switch {
		case want == "" && err != nil:
			t.Errorf("Listen(%q): %v", addr, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("Listen(%q): %v, want %q", addr, err, want)
		}
	}
	f("127.0.0.1:0", "")
	f("127.0.0.7:0", "")
	f("localhost:0", "")
	f(":8080", "listen.web_public")
	f("0.0.0.0:8080", "listen.web_public")
	f("192.0.2.1:8080", "not a loopback address")
	f("[::]:8080", "not a loopback address")
	f("8080", "host:port")

	var log strings.Builder
	l, err := Server{Addr: "0.0.0.0:0", Public: true, Log: slog.New(slog.NewTextHandler(&log, nil))}.Listen(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	if !strings.Contains(log.String(), "in the clear") {
		t.Errorf("no warning without TLS: %s", log.String())
	}
}

func TestServe(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	server := Server{Addr: "127.0.0.1:0", Hosts: []string{"qa.example"}, Log: slog.New(slog.DiscardHandler)}
	l, err := server.Listen(ctx)
	if err != nil {
		t.Fatal(err)
	}
	entered := make(chan struct{})
	slow := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			close(entered)
			time.Sleep(200 * time.Millisecond)
		}
		w.Write([]byte("page"))
	})
	ended := make(chan error, 1)
	go func() { ended <- server.ServeListener(ctx, l, slow) }()
	client := &http.Client{Transport: &http.Transport{}}
	f := func(host string, want int) {
		t.Helper()
		r, err := http.NewRequest(http.MethodGet, "http://"+l.Addr().String()+"/", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Host = host
		res, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != want {
			t.Errorf("Host %q: status %d, want %d", host, res.StatusCode, want)
		}
	}
	f(l.Addr().String(), 200)
	f("localhost", 200)
	f("LOCALHOST:8080", 200)
	f("127.0.0.1:1", 200)
	f("[::1]:8080", 200)
	f("qa.example", 200)
	f("QA.example:443", 200)
	f("x.qa.example", 421)
	f("evil.example", 421)
	f("evil.example:8080", 421)
	f("localhost.evil.example", 421)
	f("192.0.2.1", 421)
	f("127.0.0.1.evil.example:8080", 421)

	// A page under way when the server is stopped still arrives.
	got := make(chan error, 1)
	go func() {
		res, err := client.Get("http://" + l.Addr().String() + "/slow")
		if err == nil {
			res.Body.Close()
		}
		got <- err
	}()
	<-entered
	cancel()
	if err := <-got; err != nil {
		t.Errorf("the page under way: %v", err)
	}
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("stopped with %v", err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("the server did not stop")
	}
	if c, err := net.Dial("tcp", l.Addr().String()); err == nil {
		c.Close()
		t.Error("still listening")
	}
}
