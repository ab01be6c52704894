// Package tracetest walks from rows of the public views back to where they come from: to the messages in the topic, and to the
// rules, models, registry of opinions, run and program that made them. It is of tests only.
package tracetest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/tingke/tingke/nlp/mask"
	"github.com/tingke/tingke/pipeline/analyse"
	"github.com/tingke/tingke/pipeline/assemble"
	"github.com/tingke/tingke/pipeline/warehouse"
	"github.com/tingke/tingke/rules"
	"github.com/tingke/tingke/schemas"
)

// Trace is a deployment whose rows are traced.
type Trace struct {
	Store  *warehouse.Warehouse
	Broker string
	Topic  string
	Key    []byte // of the deployment: rows are masked with it, the topic is not
	Seed   uint64 // chooses the rows
	Code   string // version of the program that wrote the rows
	Models string // folder of the model files
	// Load loads rule packs as the deployment does.
	Load func(...rules.Source) (*rules.Set, error)
	// Analyser gives the models of the deployment with rules and an epoch of the registry.
	Analyser func(context.Context, *rules.Set, uint32) (*analyse.Analyser, error)
}

// Found says what was traced.
type Found struct {
	Rows     map[string]int // by view
	Masked   int            // rows of turns in which something is masked
	Packs    map[string]bool
	Runs     map[uint64]bool
	Epochs   map[uint32]bool
	Opinions int // mentions of an opinion
	Scored   int // sessions whose score was worked out again
	Joined   int // sessions of more than one message
}

// row is one row of a view. Words are the bytes Start to End of the masked text of turn Seq.
type row struct {
	View        string `ch:"view"`
	SessionID   string `ch:"session_id"`
	Seq         int64  `ch:"seq"`
	Start       uint32 `ch:"start"`
	End         uint32 `ch:"end"`
	Words       string `ch:"words"` // where the row has them itself
	RuleID      string `ch:"rule_id"`
	RuleVersion string `ch:"rule_version"`
	Opinion     string `ch:"opinion_id"`
}

// origin is what a row of sessions says of where it comes from.
type origin struct {
	SessionID string   `ch:"session_id"`
	Topic     string   `ch:"topic"`
	Partition int32    `ch:"partition"`
	OffsetMin int64    `ch:"offset_min"`
	OffsetMax int64    `ch:"offset_max"`
	Rules     string   `ch:"rules_version"`
	Model     string   `ch:"model_version"`
	Epoch     uint32   `ch:"epoch"`
	Run       uint64   `ch:"run_id"`
	Code      string   `ch:"code_version"`
	Score     *float64 `ch:"score"`
}

// turn is a turn as it is stored.
type turn struct {
	SessionID string `ch:"session_id"`
	Seq       int64  `ch:"seq"`
	Text      string `ch:"text"`
	Emotion   string `ch:"feeling"`
}

// views chooses rows: %d is how many, ? the seed. Evidence of an absence has no words and is left out. What is rare (an opinion,
// something masked, a session of several messages) is chosen by itself, so that no seed misses it.
var views = []string{
	`SELECT 'hits' AS view, session_id, e.1 AS seq, e.2 AS start, e.3 AS end, '' AS words, rule_id, rule_version, '' AS opinion_id
		FROM hits ARRAY JOIN evidence AS e WHERE closed AND e.3 > e.2 ORDER BY cityHash64(hit_id, e.1, e.2, ?) LIMIT %d`,
	`SELECT 'mentions' AS view, session_id, seq, start, end, text AS words, '' AS rule_id, '' AS rule_version, opinion_id
		FROM mentions WHERE closed ORDER BY cityHash64(mention_id, ?) LIMIT %d`,
	`SELECT 'opinions' AS view, session_id, seq, start, end, text AS words, '' AS rule_id, '' AS rule_version, opinion_id
		FROM mentions WHERE closed AND opinion_id != '' ORDER BY cityHash64(mention_id, ?) LIMIT %d`,
	`SELECT 'turns' AS view, session_id, seq, toUInt32(0) AS start, toUInt32(length(text)) AS end, text AS words, '' AS rule_id, '' AS rule_version, '' AS opinion_id
		FROM turns WHERE closed AND emotion != 'neutral' AND text != '' ORDER BY cityHash64(session_id, seq, ?) LIMIT %d`,
	`SELECT 'masked turns' AS view, session_id, seq, toUInt32(0) AS start, toUInt32(length(text)) AS end, text AS words, '' AS rule_id, '' AS rule_version, '' AS opinion_id
		FROM turns WHERE closed AND position(text, '[') > 0 ORDER BY cityHash64(session_id, seq, ?) LIMIT %d`,
	`SELECT 'sessions' AS view, session_id, toInt64(0) AS seq, toUInt32(0) AS start, toUInt32(0) AS end, '' AS words, '' AS rule_id, '' AS rule_version, '' AS opinion_id
		FROM sessions WHERE state = 'closed' AND score IS NOT NULL ORDER BY cityHash64(session_id, ?) LIMIT %d`,
	`SELECT 'joined sessions' AS view, session_id, toInt64(0) AS seq, toUInt32(0) AS start, toUInt32(0) AS end, '' AS words, '' AS rule_id, '' AS rule_version, '' AS opinion_id
		FROM sessions WHERE state = 'closed' AND score IS NOT NULL AND offset_max > offset_min ORDER BY cityHash64(session_id, ?) LIMIT %d`,
}

// Rows traces at most so many random rows of hits, of mentions, of mentions of an opinion, of emotions (turns), of masked turns,
// of scores (sessions) and of scores of sessions of several messages, and reports what does not hold:
//
//   - the first and the last message that the session names, by topic, partition and offset, are of that session;
//   - a message between them holds the turn, and masked as the deployment masks it is byte by byte the turn that is stored;
//   - the words are at the bytes of it that the row names, and what of them is not a placeholder stands in the raw message;
//   - the rule packs are there in the very text that was used, and have the rule; the model files are those of the folder; epoch,
//     opinion and run are there; the program is the one that runs;
//   - the messages alone, judged by just these, give the row again.
func (x *Trace) Rows(ctx context.Context, t testing.TB, each int) Found {
	t.Helper()
	w := &walk{Trace: x, ctx: ctx, partitions: map[int32][]kafka.Message{}, sessions: map[string]*session{}, sets: map[string]*rules.Set{},
		found: Found{Rows: map[string]int{}, Packs: map[string]bool{}, Runs: map[uint64]bool{}, Epochs: map[uint32]bool{}}}
	var rows []row
	for _, sql := range views {
		var some []row
		if err := x.Store.Conn().Select(ctx, &some, fmt.Sprintf(sql, each), x.Seed); err != nil {
			t.Fatal(err)
		}
		rows = append(rows, some...)
	}
	if err := w.prepare(rows); err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		if err := w.row(&r); err != nil {
			t.Errorf("%s of session %s cannot be traced (seed %d): %v\n%+v", r.View, r.SessionID, x.Seed, err, r)
		}
		w.found.Rows[r.View]++
	}
	return w.found
}

type walk struct {
	*Trace
	ctx        context.Context
	partitions map[int32][]kafka.Message
	sessions   map[string]*session
	sets       map[string]*rules.Set
	runs       map[uint64]string // rules of each
	epochs     map[uint32]bool
	founded    map[string]uint32 // epoch of each opinion
	found      Found
}

// prepare reads what the store says of the sessions of rows, and what they may name.
func (w *walk) prepare(rows []row) error {
	for _, r := range rows {
		if w.sessions[r.SessionID] == nil {
			w.sessions[r.SessionID] = &session{stored: map[int64]turn{}}
		}
	}
	ids := slices.Collect(maps.Keys(w.sessions))
	var list []origin
	var said []turn
	var runs []struct {
		ID    uint64 `ch:"run_id"`
		Rules string `ch:"rules_version"`
	}
	var epochs []struct {
		Epoch uint32 `ch:"epoch"`
	}
	var opinions []struct {
		ID    string `ch:"opinion_id"`
		Epoch uint32 `ch:"since"`
	}
	sel := w.Store.Conn().Select
	err := errors.Join(
		sel(w.ctx, &list, "SELECT session_id, topic, partition, offset_min, offset_max, rules_version, model_version, epoch, run_id, code_version, score FROM sessions WHERE session_id IN (?)", ids),
		sel(w.ctx, &said, "SELECT session_id, seq, text, toString(emotion) AS feeling FROM turns WHERE session_id IN (?)", ids),
		sel(w.ctx, &runs, "SELECT run_id, rules_version FROM runs"),
		sel(w.ctx, &epochs, "SELECT DISTINCT epoch FROM opinion_epochs"),
		sel(w.ctx, &opinions, "SELECT opinion_id, min(epoch) AS since FROM opinion_events WHERE action IN ('found', 'split') GROUP BY opinion_id"),
	)
	w.runs, w.epochs, w.founded = map[uint64]string{}, map[uint32]bool{}, map[string]uint32{}
	for _, o := range list {
		w.sessions[o.SessionID].origin = o
	}
	for _, x := range said {
		w.sessions[x.SessionID].stored[x.Seq] = x
	}
	for _, r := range runs {
		w.runs[r.ID] = r.Rules
	}
	for _, e := range epochs {
		w.epochs[e.Epoch] = true
	}
	for _, o := range opinions {
		w.founded[o.ID] = o.Epoch
	}
	return err
}

// session is one session as its messages have it.
type session struct {
	origin
	stored      map[int64]turn // by seq
	raw, masked []schemas.Turn // of all messages, in pairs
	again       *schemas.Analysis
	err         error // why it cannot be traced
}

func (w *walk) row(r *row) error {
	s := w.sessions[r.SessionID]
	if s.again == nil && s.err == nil {
		s.err = w.walk(s)
	}
	if s.err != nil {
		return s.err
	}
	if r.View == "sessions" || r.View == "joined sessions" {
		if !s.again.Findings.Score.OK || *s.Score != s.again.Findings.Score.V {
			return fmt.Errorf("the score is %v, the messages give %+v", *s.Score, s.again.Findings.Score)
		}
		w.found.Scored++
		return nil
	}
	i := slices.IndexFunc(s.again.Turns, func(x schemas.AnalysedTurn) bool { return x.Seq.V == r.Seq })
	if i < 0 {
		return fmt.Errorf("the messages %d to %d of partition %d do not make a turn %d", s.OffsetMin, s.OffsetMax, s.Partition, r.Seq)
	}
	again, text := s.again.Turns[i], s.stored[r.Seq].Text
	if int(r.End) > len(text) || r.Start > r.End || r.Words != "" && r.Words != text[r.Start:r.End] {
		return fmt.Errorf("the bytes %d to %d of %q are not the words %q", r.Start, r.End, text, r.Words)
	}
	words := text[r.Start:r.End]
	said := slices.IndexFunc(s.masked, func(m schemas.Turn) bool {
		return m.Role == again.Role && (!m.Seq.OK || m.Seq.V == r.Seq) && m.Text == text
	})
	if said < 0 {
		return fmt.Errorf("no message from %d to %d of partition %d says %q", s.OffsetMin, s.OffsetMax, s.Partition, text)
	}
	if err := inOrder(s.raw[said].Text, placeholder.Split(words, -1)); err != nil {
		return err
	}
	if s.raw[said].Text != text {
		w.found.Masked++
	}
	switch r.View {
	case "hits":
		return w.hit(r, s)
	case "mentions", "opinions":
		return w.mention(r, s)
	}
	if emotion := s.stored[r.Seq].Emotion; again.Emotion.String() != emotion {
		return fmt.Errorf("the emotion is %s, the messages give %s", emotion, again.Emotion)
	}
	return nil
}

// placeholder stands for what is masked: its name and, where it counts, which one.
var placeholder = regexp.MustCompile(`\[[^\[\]]*\]`)

// inOrder looks for parts in a text, each after the one before.
func inOrder(text string, parts []string) error {
	rest := text
	for _, p := range parts {
		_, after, ok := strings.Cut(rest, p)
		if !ok {
			return fmt.Errorf("the message says %q, not %q", text, p)
		}
		rest = after
	}
	return nil
}

func (w *walk) hit(r *row, s *session) error {
	set := w.sets[s.Rules]
	if !slices.ContainsFunc(set.Rules(), func(i rules.RuleInfo) bool { return i.ID == r.RuleID && i.Version == r.RuleVersion }) {
		return fmt.Errorf("the packs %s have no rule %s of version %s", s.Rules, r.RuleID, r.RuleVersion)
	}
	for _, h := range s.again.Findings.Hits {
		if h.RuleID == r.RuleID && h.RuleVersion == r.RuleVersion && slices.Contains(h.Evidence, schemas.Evidence{Turn: r.Seq, Start: int(r.Start), End: int(r.End)}) {
			return nil
		}
	}
	return fmt.Errorf("the messages do not give this hit: %+v", s.again.Findings.Hits)
}

func (w *walk) mention(r *row, s *session) error {
	for _, m := range s.again.Mentions {
		if m.Turn != r.Seq || m.Start != int(r.Start) || m.End != int(r.End) {
			continue
		}
		if r.Opinion == "" {
			return nil
		}
		w.found.Opinions++
		if since, ok := w.founded[m.OpinionID]; !ok || since > s.Epoch {
			return fmt.Errorf("epoch %d has no opinion %q", s.Epoch, m.OpinionID)
		}
		return nil
	}
	return fmt.Errorf("the messages do not give this mention: %+v", s.again.Mentions)
}

// walk goes from a row of sessions to its messages and to what it names, and from them to the analysis.
func (w *walk) walk(s *session) error {
	if s.Topic != w.Topic || s.Code != w.Code {
		return fmt.Errorf("it is of topic %q and program %q, want %q and %q", s.Topic, s.Code, w.Topic, w.Code)
	}
	state, err := w.read(s)
	if err != nil {
		return err
	}
	set, err := w.packs(s.Rules)
	if err != nil {
		return err
	}
	an, err := w.Analyser(w.ctx, set, s.Epoch)
	if err != nil {
		return err
	}
	if err := w.names(s, an); err != nil {
		return err
	}
	s.again = an.Analyse(state.Transcript())
	return nil
}

// read reads the messages that a session names and joins them.
func (w *walk) read(s *session) (*assemble.State, error) {
	log, err := w.partition(s.Partition)
	if err != nil {
		return nil, err
	}
	m, hasher := mask.New(w.Key, mask.Options{}), assemble.NewHasher(w.Key)
	state := &assemble.State{SessionID: s.SessionID}
	first, last, n := false, false, 0
	for _, raw := range log {
		if raw.Offset < s.OffsetMin || raw.Offset > s.OffsetMax {
			continue
		}
		msg, err := schemas.Decode(raw.Value)
		if err != nil {
			continue
		}
		plain := slices.Clone(turns(msg))
		part := assemble.FromMessage(hasher, m.Message, msg) // masks in place
		if part == nil || part.SessionID != s.SessionID {
			continue
		}
		n++
		first, last = first || raw.Offset == s.OffsetMin, last || raw.Offset == s.OffsetMax
		s.raw, s.masked = append(s.raw, plain...), append(s.masked, turns(msg)...)
		state.Add(part)
	}
	if !first || !last {
		return nil, fmt.Errorf("it says that its messages are those of partition %d from %d to %d, but one of these two is not of it (%d between are)", s.Partition, s.OffsetMin, s.OffsetMax, n)
	}
	if !state.Closed() {
		state.Add(assemble.SyntheticEnd(s.SessionID, state.Revision))
	}
	if n > 1 {
		w.found.Joined++
	}
	return state, nil
}

func turns(m *schemas.Message) []schemas.Turn {
	switch {
	case m.Turn != nil:
		return []schemas.Turn{m.Turn.Turn}
	case m.Session != nil:
		return m.Session.Turns
	}
	return nil
}

// partition reads a partition of the topic from its beginning to its end.
func (w *walk) partition(id int32) ([]kafka.Message, error) {
	if log, ok := w.partitions[id]; ok {
		return log, nil
	}
	client := &kafka.Client{Addr: kafka.TCP(w.Broker), Timeout: time.Minute}
	resp, err := client.ListOffsets(w.ctx, &kafka.ListOffsetsRequest{Topics: map[string][]kafka.OffsetRequest{w.Topic: {kafka.FirstOffsetOf(int(id)), kafka.LastOffsetOf(int(id))}}})
	if err != nil {
		return nil, err
	}
	ends := resp.Topics[w.Topic][0]
	r := kafka.NewReader(kafka.ReaderConfig{Brokers: []string{w.Broker}, Topic: w.Topic, Partition: int(id), MaxBytes: 32 << 20, MaxWait: 100 * time.Millisecond})
	defer r.Close()
	log := []kafka.Message{}
	for next := ends.FirstOffset; next < ends.LastOffset; {
		m, err := r.ReadMessage(w.ctx)
		if err != nil {
			return nil, err
		}
		log, next = append(log, m), m.Offset+1
	}
	w.partitions[id] = log
	return log, nil
}

// packs loads the packs of a version: of each the text that comes with the program or was published, whose hash it names.
func (w *walk) packs(version string) (*rules.Set, error) {
	if set := w.sets[version]; set != nil {
		return set, nil
	}
	published, err := w.Store.RulePacks(w.ctx, "", 1000)
	if err != nil {
		return nil, err
	}
	var sources []rules.Source
	for _, name := range strings.Split(version, ",") {
		id, full, _ := strings.Cut(name, "@")
		_, hash, _ := strings.Cut(full, "+")
		var texts [][]byte
		if b, err := rules.Embedded(id).YAML(); err == nil {
			texts = append(texts, b)
		}
		for _, p := range published {
			if p.Pack == id && p.Version == full {
				text, err := w.Store.RulePackContent(w.ctx, p)
				if err != nil {
					return nil, err
				}
				texts = append(texts, []byte(text))
			}
		}
		i := slices.IndexFunc(texts, func(b []byte) bool { return hash != "" && strings.HasPrefix(digest(b), hash) })
		if i < 0 {
			return nil, fmt.Errorf("there is no text of rule pack %s (%d others of that name)", name, len(texts))
		}
		sources = append(sources, rules.Text(name, texts[i]))
		w.found.Packs[name] = true
	}
	set, err := w.Load(sources...)
	if err == nil && set.Version() != version {
		err = fmt.Errorf("the rule packs %s are of version %s when loaded", version, set.Version())
	}
	w.sets[version] = set
	return set, err
}

// names looks up what a session names beside its messages and rules.
func (w *walk) names(s *session, an *analyse.Analyser) error {
	if s.Model != an.ModelVersion() {
		return fmt.Errorf("the models are %s, the deployment's are %s", s.Model, an.ModelVersion())
	}
	for _, name := range []string{"emotion", "mention"} {
		b, err := os.ReadFile(filepath.Join(w.Models, name+".bin"))
		if err != nil {
			return err
		}
		if !regexp.MustCompile(`(^|,)` + name + `=[^,]*\+` + digest(b)[:8] + `(,|$)`).MatchString(s.Model) {
			return fmt.Errorf("the models are %s, the file %s.bin has the hash %s", s.Model, name, digest(b)[:8])
		}
	}
	if s.Run > 0 && w.runs[s.Run] != s.Rules { // 0 is live
		return fmt.Errorf("there is no run %d of the rules %s", s.Run, s.Rules)
	}
	if s.Epoch > 0 && !w.epochs[s.Epoch] { // 0 is the registry before its first snapshot
		return fmt.Errorf("there is no epoch %d", s.Epoch)
	}
	w.found.Runs[s.Run], w.found.Epochs[s.Epoch] = true, true
	return nil
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
