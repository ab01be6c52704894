package broker

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
)

// line is one member's way to the broker, which can be cut.
type line struct {
	*kafka.Client
	mu    sync.Mutex
	conns []net.Conn
}

func dial(t *testing.T, addr string) *line {
	l := &line{}
	transport := &kafka.Transport{Dial: func(ctx context.Context, network, addr string) (net.Conn, error) {
		c, err := (&net.Dialer{}).DialContext(ctx, network, addr)
		if err == nil {
			l.mu.Lock()
			l.conns = append(l.conns, c)
			l.mu.Unlock()
		}
		return c, err
	}}
	t.Cleanup(transport.CloseIdleConnections)
	l.Client = &kafka.Client{Addr: kafka.TCP(addr), Timeout: 20 * time.Second, Transport: transport}
	return l
}

func (l *line) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range l.conns {
		c.Close()
	}
}

const testGroup = "g"

// join waits until the group has a new generation; a new member has no id.
func (l *line) join(ctx context.Context, id string) (*kafka.JoinGroupResponse, error) {
	for {
		res, err := l.JoinGroup(ctx, &kafka.JoinGroupRequest{GroupID: testGroup, MemberID: id, SessionTimeout: 3 * time.Second, RebalanceTimeout: time.Minute,
			ProtocolType: "consumer", Protocols: []kafka.GroupProtocol{{Name: "range", Metadata: kafka.GroupProtocolSubscription{Topics: []string{TopicTranscripts}}}}})
		if err != nil || !errors.Is(res.Error, kafka.MemberIDRequired) {
			return res, err
		}
		id = res.MemberID
	}
}

// assign gives each member a partition.
func (l *line) assign(ctx context.Context, j *kafka.JoinGroupResponse) error {
	req := &kafka.SyncGroupRequest{GroupID: testGroup, GenerationID: j.GenerationID, MemberID: j.MemberID, ProtocolType: j.ProtocolType, ProtocolName: j.ProtocolName}
	for i, m := range j.Members {
		req.Assignments = append(req.Assignments, kafka.SyncGroupRequestAssignment{MemberID: m.ID,
			Assignment: kafka.GroupProtocolAssignment{AssignedPartitions: map[string][]int{TopicTranscripts: {i}}}})
	}
	res, err := l.SyncGroup(ctx, req)
	if err == nil {
		err = res.Error
	}
	return err
}

// TestGoneAsItJoined: a member whose connection ends while its first JoinGroup waits is given partitions with the others, and
// loses them when its session timeout is over. So does one that dies later.
func TestGoneAsItJoined(t *testing.T) {
	f := func(name string, waits bool) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx := testCtx(t)
			b, err := Start(ctx, Options{Dir: t.TempDir()})
			if err != nil {
				t.Fatal(err)
			}
			defer b.Close()
			enter := func(l *line, id string) (*kafka.JoinGroupResponse, error) {
				j, err := l.join(ctx, id)
				if err == nil {
					err = errors.Join(j.Error, l.assign(ctx, j))
				}
				return j, err
			}
			stays, gone := dial(t, b.Addr()), dial(t, b.Addr())
			j, err := enter(stays, "")
			if err != nil {
				t.Fatal(err)
			}
			id := j.MemberID
			rebalances := func() {
				t.Helper()
				for b.Cluster().GroupInfo(testGroup).State != "PreparingRebalance" {
					// kafka-go takes the answer's error for its throttle time.
					if _, err := stays.Heartbeat(ctx, &kafka.HeartbeatRequest{GroupID: testGroup, GenerationID: int32(j.GenerationID), MemberID: id}); err != nil {
						t.Fatalf("the group still has %d members: %v", len(j.Members), err)
					}
					time.Sleep(50 * time.Millisecond)
				}
			}
			var other sync.WaitGroup
			other.Go(func() {
				_, err := enter(gone, "")
				if err != nil && !waits {
					t.Error(err)
				}
				gone.cut()
			})
			rebalances()
			if waits {
				gone.cut()
				time.Sleep(200 * time.Millisecond) // for the broker to see the connection's end
			}
			if j, err = enter(stays, id); err != nil {
				t.Fatal(err)
			}
			if len(j.Members) != 2 {
				t.Fatalf("%d members were given partitions, want 2: the one that is gone was not in the group", len(j.Members))
			}
			other.Wait()
			rebalances()
			if j, err = enter(stays, id); err != nil || len(j.Members) != 1 {
				t.Fatalf("the group is %+v (%v), want only the member that stays", j, err)
			}
		})
	}
	for i := range 4 { // whether kfake sees in time that nobody takes its answer is chance
		f(fmt.Sprint("while it waits ", i), true)
	}
	f("once it has partitions", false)
}
