package api

import (
	"context"
	"testing"
)

// A topic that is deleted and made again gives its offsets anew: two ranges that are told apart by the id of the topic alone.
func TestHealthLostRanges(t *testing.T) {
	f := newFixture(t)
	if err := f.w.Conn().Exec(context.Background(), `INSERT INTO lost_range_rows (topic, topic_id, partition, offset_from, offset_to, at, acknowledged, acknowledged_by)
		VALUES ('t', 'aa01', 0, 5, 9, '2026-03-02 10:00:00', 1, 'root'), ('t', 'bb02', 0, 5, 9, '2026-03-02 10:00:00', 0, '')`); err != nil {
		t.Fatal(err)
	}
	lost := get[Health](t, f.api, "admin", Prefix+"/data/health").Lost
	if len(lost) != 2 || lost[0].TopicID != "aa01" || !lost[0].Acknowledged || lost[1].TopicID != "bb02" || lost[1].Acknowledged || lost[1].To != 9 {
		t.Errorf("lost ranges %+v", lost)
	}
}
