package access

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/tingke/tingke/pipeline/warehouse"
)

// slowLog counts inserts, each of which takes a while.
type slowLog struct {
	memoryLog
	inserts int
	began   chan struct{}
	release chan struct{}
}

func (l *slowLog) AppendAudit(ctx context.Context, e ...warehouse.AuditEntry) error {
	l.Lock()
	l.inserts++
	l.Unlock()
	l.began <- struct{}{}
	<-l.release
	return l.memoryLog.AppendAudit(ctx, e...)
}

func TestAuditLogJoinsRequests(t *testing.T) {
	slow := &slowLog{began: make(chan struct{}, 100), release: make(chan struct{})}
	log := NewAuditLog(slow)
	ctx := context.Background()
	var all sync.WaitGroup
	write := func(i int) {
		all.Go(func() {
			if err := log.AppendAudit(ctx, warehouse.AuditEntry{Object: fmt.Sprint(i)}); err != nil {
				t.Error(err)
			}
		})
	}
	write(0)
	<-slow.began // the first insert runs; the others wait for the second
	for i := range 50 {
		write(i + 1)
	}
	for {
		log.mu.Lock()
		n := 0
		if log.next != nil {
			n = len(log.next.entries)
		}
		log.mu.Unlock()
		if n == 50 {
			break
		}
		time.Sleep(time.Millisecond)
	}
	time.Sleep(3 * auditEvery)
	if len(slow.began) > 0 {
		t.Error("two inserts run at once")
	}
	slow.release <- struct{}{}
	<-slow.began
	slow.release <- struct{}{}
	all.Wait()
	if slow.inserts != 2 || len(slow.entries) != 51 {
		t.Errorf("%d inserts of %d entries, want 2 of 51", slow.inserts, len(slow.entries))
	}
	for _, e := range slow.entries {
		if e.At.IsZero() {
			t.Error("an entry without a time")
		}
	}

	// Everybody who waits learns that the store is down, and the log works again afterwards.
	slow.down = true
	failed := make(chan error)
	go func() { failed <- log.AppendAudit(ctx, warehouse.AuditEntry{}) }()
	<-slow.began
	slow.release <- struct{}{}
	if err := <-failed; err == nil {
		t.Error("a lost entry was no error")
	}
	slow.down = false
	go func() { failed <- log.AppendAudit(ctx, warehouse.AuditEntry{}) }()
	<-slow.began
	slow.release <- struct{}{}
	if err := <-failed; err != nil {
		t.Error(err)
	}

	// Who goes away does not hold the others.
	gone, cancel := context.WithCancel(ctx)
	go func() { failed <- log.AppendAudit(gone, warehouse.AuditEntry{}) }()
	<-slow.began
	cancel()
	if err := <-failed; !errors.Is(err, context.Canceled) {
		t.Errorf("after it went away: %v", err)
	}
	slow.release <- struct{}{}
}

func TestAuditWithoutALogIsAnError(t *testing.T) {
	if err := Audit(context.Background(), ActionExport, "x", nil); err == nil {
		t.Error("an export was audited nowhere")
	}
	if err := Audit(WithAuditor(context.Background(), nil, ""), ActionExport, "x", nil); err == nil {
		t.Error("an export was audited nowhere")
	}
	log := &memoryLog{}
	ctx := WithIdentity(WithAuditor(context.Background(), log, "192.0.2.1"), Identity{User: "li"})
	if err := AuditEach(ctx, ActionExport, []string{"a", "b"}, map[string]int{"rows": 3}); err != nil {
		t.Fatal(err)
	}
	if len(log.entries) != 2 || log.entries[1].Object != "b" || log.entries[1].Detail != `{"rows":3}` {
		t.Errorf("%+v", log.entries)
	}
}
