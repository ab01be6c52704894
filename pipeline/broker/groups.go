package broker

import (
	"context"
	"log/slog"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// kfake starts a new member's session timeout with the answer to its first JoinGroup. Where the member's connection has
// ended by then, as that of a worker killed while it waited for the others, none is started; the leader gives the member
// partitions all the same, and nobody reads them until somebody else joins or leaves. So for each member that a leader gives
// partitions a heartbeat is sent here, with which kfake starts the timeout. Whoever lives sends its own in time.

// assignment is what the leader of a group's generation has handed out.
type assignment struct {
	group      string
	generation int32
	members    []string
}

// timeouts sees to it that every member of a group can time out.
type timeouts struct {
	log      *slog.Logger
	assigned chan assignment
	client   *kafka.Client
	stop     context.CancelFunc
	stopped  chan struct{}
}

// beatWithin bounds a heartbeat to this process's own broker.
const beatWithin = 5 * time.Second

// watchTimeouts looks after the members of the cluster's groups until close.
func (b *Broker) watchTimeouts(log *slog.Logger) *timeouts {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	ctx, stop := context.WithCancel(context.Background())
	t := &timeouts{
		log: log, assigned: make(chan assignment, 64), stop: stop, stopped: make(chan struct{}),
		client: &kafka.Client{Addr: kafka.TCP(b.addr), Timeout: beatWithin, Transport: &kafka.Transport{}},
	}
	b.cluster.ControlKey(int16(kmsg.SyncGroup), t.see)
	go t.run(ctx)
	return t
}

// see notes what a leader hands out and leaves its handling to the cluster, whose loop it must not hold up.
func (t *timeouts) see(req kmsg.Request) (kmsg.Response, error, bool) {
	sync, ok := req.(*kmsg.SyncGroupRequest)
	if !ok || len(sync.GroupAssignment) == 0 {
		return nil, nil, false
	}
	a := assignment{group: sync.Group, generation: sync.Generation}
	for _, m := range sync.GroupAssignment {
		a.members = append(a.members, m.MemberID)
	}
	select {
	case t.assigned <- a:
	default:
		t.log.Warn("broker: too many groups start at once; a member that is gone may keep its partitions", "group", a.group, "do", "start another worker of the group if messages wait")
	}
	return nil, nil, false
}

func (t *timeouts) run(ctx context.Context) {
	defer close(t.stopped)
	for {
		select {
		case <-ctx.Done():
			return
		case a := <-t.assigned:
			for _, id := range a.members {
				// An error of the broker says that the member or the generation is gone.
				_, err := t.client.Heartbeat(ctx, &kafka.HeartbeatRequest{GroupID: a.group, GenerationID: a.generation, MemberID: id})
				if err != nil && ctx.Err() == nil {
					t.log.Warn("broker: cannot start a member's session timeout; if it is gone it may keep its partitions", "group", a.group, "member", id, "error", err)
				}
			}
		}
	}
}

func (t *timeouts) close() {
	t.stop()
	<-t.stopped
	t.client.Transport.(*kafka.Transport).CloseIdleConnections()
}
