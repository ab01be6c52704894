package upload

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"slices"

	"github.com/tingke/tingke/pipeline/assemble"
	"github.com/tingke/tingke/pipeline/batch"
	"github.com/tingke/tingke/pipeline/intake"
	"github.com/tingke/tingke/schemas"
)

// Bounds of what is told.
const (
	previewSessions = 10
	previewTurns    = 50     // of each session
	previewMessages = 20_000 // read at most for them
	previewRejected = 50
	runRejected     = 1_000
)

// How says how to read the files of an upload.
type How struct {
	// Format is one of intake.Formats; "" is what was seen.
	Format string `json:"format,omitempty" doc:"format of the files; empty: as seen"`
	// Map is a column map as an object, of the keys of a column map file; nil takes the proposal of each file.
	Map map[string]any `json:"map,omitempty" doc:"column map of tables, with the keys of a column map file; without one the proposal"`
	// Shop, Channel and Source are of sessions that name none.
	Shop    string `json:"shop,omitempty" doc:"shop of sessions that name none"`
	Channel string `json:"channel,omitempty" doc:"channel of sessions that name none"`
	Source  string `json:"source,omitempty" doc:"source of sessions that name none"`
}

// Rejected is a line or row that was no message.
type Rejected struct {
	File   string `json:"file"`
	Line   int    `json:"line"`
	Reason string `json:"reason" doc:"masked"`
}

// Preview is what the beginning of an upload looks like when it is read.
type Preview struct {
	Sessions      []PreviewSession `json:"sessions"`
	Messages      int              `json:"messages" doc:"read for this preview"`
	Orders        int              `json:"orders"`
	Ratings       int              `json:"ratings"`
	Rejected      []Rejected       `json:"rejected" doc:"the first 50"`
	RejectedCount int              `json:"rejected_count"`
	Complete      bool             `json:"complete" doc:"whether all was read"`
}

// PreviewSession is a session as it would be stored, masked.
type PreviewSession struct {
	SessionID  string        `json:"session_id"`
	Shop       string        `json:"shop"`
	Channel    string        `json:"channel"`
	CustomerID string        `json:"customer_id" doc:"keyed pseudonym"`
	AgentID    string        `json:"agent_id"`
	Team       string        `json:"team"`
	StartedAt  string        `json:"started_at" doc:"RFC 3339, empty where unknown"`
	Turns      []PreviewTurn `json:"turns" doc:"the first 50"`
	TurnCount  int           `json:"turn_count"`
}

// PreviewTurn is a turn, masked.
type PreviewTurn struct {
	Role    string `json:"role"`
	AgentID string `json:"agent_id"`
	At      string `json:"at"`
	Text    string `json:"text"`
}

// Result says what a run did.
type Result struct {
	batch.Counts
	Rejected      []Rejected `json:"rejected" doc:"the first 1,000; all are in the view dead_letters"`
	RejectedCount int        `json:"rejected_count"`
	Broken        []string   `json:"broken" doc:"files that could not be read to their end; what was read of them is stored"`
}

// options are those of reading one file.
func (s *Service) options(f *File, how How) (intake.Options, error) {
	opt := intake.Options{Format: how.Format, Location: s.o.Location, Limits: s.intakeLimits(),
		Session: intake.Defaults{Shop: how.Shop, Channel: how.Channel, Source: how.Source}}
	if how.Format != "" && !slices.Contains(intake.Formats(), how.Format) {
		return opt, failf("no_format", "format", "%q is none of %v", how.Format, intake.Formats())
	}
	m := how.Map
	if m == nil {
		m = f.Map
	}
	format := how.Format
	if format == "" {
		format = f.Format
	}
	if len(m) == 0 || format != intake.FormatCSV && format != intake.FormatXLSX && format != intake.FormatParquet {
		return opt, nil
	}
	b, err := json.Marshal(m) // YAML reads JSON
	if err != nil {
		return opt, failf("bad_map", "map", "the column map cannot be read: %v", err)
	}
	parsed, err := intake.ParseColumnMap("map", b)
	if err != nil {
		return opt, &Error{Code: "bad_map", Field: "map", Problem: err.Error()}
	}
	opt.Map = parsed
	return opt, nil
}

// each calls f for every record of a file. The error is of f, of the context, or what ended the file early.
func (s *Service) each(ctx context.Context, file *File, how How, f func(rec intake.Record, msg *schemas.Message, bad error) error) (broken string, err error) {
	if file.sidecar() {
		return "", nil
	}
	opt, err := s.options(file, how)
	if err != nil {
		return "", err
	}
	r, err := intake.Open(file.path, opt)
	if err != nil {
		return s.problem(file, err), nil
	}
	defer r.Close()
	for {
		if err := ctx.Err(); err != nil {
			return "", err
		}
		rec, err := r.Next()
		if err == io.EOF { //nolint:errorlint // a wrapped one says that the file is cut off
			return "", nil
		}
		if err != nil {
			return s.problem(file, err), nil
		}
		bad := rec.Err
		var msg *schemas.Message
		if bad == nil {
			msg, bad = schemas.Decode(rec.Raw)
		}
		if err := f(rec, msg, bad); err != nil {
			return "", err
		}
	}
}

var errEnough = errors.New("enough was read")

// Preview reads the beginning of an upload as Run would, and writes nothing.
func (s *Service) Preview(ctx context.Context, id, actor string, how How) (*Preview, error) {
	u, err := s.find(id, actor)
	if err != nil {
		return nil, err
	}
	if err := s.claim(u); err != nil {
		return nil, err
	}
	defer s.release(u)
	ctx, cancel := context.WithTimeout(ctx, s.o.Limits.PreviewTime)
	defer cancel()
	p := &Preview{Complete: true}
	states := map[string]*assemble.State{}
	var order []string
	for i := range u.Files {
		f := &u.Files[i]
		broken, err := s.each(ctx, f, how, func(rec intake.Record, msg *schemas.Message, bad error) error {
			if bad != nil {
				if p.RejectedCount++; len(p.Rejected) < previewRejected {
					p.Rejected = append(p.Rejected, Rejected{f.Name, rec.Line, s.problem(f, bad)})
				}
				return nil
			}
			if p.Messages++; p.Messages > previewMessages {
				return errEnough
			}
			switch {
			case msg.Order != nil:
				p.Orders++
				return nil
			case msg.Rating != nil:
				p.Ratings++
				return nil
			}
			state := assemble.FromMessage(s.o.Hasher, s.o.Mask.Message, msg)
			if state == nil {
				return nil
			}
			if known := states[state.SessionID]; known != nil {
				known.Add(state)
				return nil
			}
			if len(states) == previewSessions {
				return errEnough
			}
			states[state.SessionID] = state
			order = append(order, state.SessionID)
			return nil
		})
		if errors.Is(err, errEnough) {
			p.Complete = false
			break
		}
		if errors.Is(err, context.DeadlineExceeded) && len(states) > 0 {
			p.Complete = false
			break
		}
		if err != nil {
			return nil, err
		}
		if broken != "" {
			p.RejectedCount++
			p.Rejected = append(p.Rejected, Rejected{File: f.Name, Reason: broken})
		}
	}
	for _, id := range order {
		p.Sessions = append(p.Sessions, previewOf(states[id]))
	}
	return p, nil
}

func previewOf(state *assemble.State) PreviewSession {
	t := state.Transcript()
	out := PreviewSession{SessionID: state.SessionID, Shop: t.Meta.Shop, Channel: t.Meta.Channel, CustomerID: t.Meta.CustomerID, AgentID: t.Meta.AgentID, Team: t.Meta.Team, TurnCount: len(t.Turns)}
	if !t.Meta.StartedAt.IsZero() {
		out.StartedAt = t.Meta.StartedAt.UTC().Format("2006-01-02T15:04:05Z07:00")
	}
	for i := range t.Turns[:min(len(t.Turns), previewTurns)] {
		x := &t.Turns[i]
		turn := PreviewTurn{Role: string(x.Role), AgentID: x.AgentID, Text: x.Text}
		if !x.At.IsZero() {
			turn.At = x.At.UTC().Format("2006-01-02T15:04:05Z07:00")
		}
		out.Turns = append(out.Turns, turn)
	}
	return out
}

// Run brings an upload into the store and removes it. Progress is told the messages read so far. After an error or the
// end of ctx what was written stays, and the upload too: running it again changes nothing of what is there.
func (s *Service) Run(ctx context.Context, id, actor string, how How, progress func(messages int)) (*Result, error) {
	u, err := s.find(id, actor)
	if err != nil {
		return nil, err
	}
	if err := s.claim(u); err != nil {
		return nil, err
	}
	result, err := s.run(ctx, u, how, progress)
	if err != nil {
		s.release(u)
		return result, err
	}
	return result, s.drop(u)
}

func (s *Service) run(ctx context.Context, u *Upload, how How, progress func(int)) (*Result, error) {
	for i := range u.Files { // a wrong map is said before anything is written
		if _, err := s.options(&u.Files[i], how); err != nil {
			return nil, err
		}
	}
	w := batch.New(batch.Options{Store: s.o.Store, Analyser: s.o.Analyser(), Hasher: s.o.Hasher, Mask: s.o.Mask.Message,
		FlushSessions: s.o.FlushSessions, Memory: s.o.Memory})
	r := &Result{}
	reject := func(f *File, line int, reason string) {
		if r.RejectedCount++; len(r.Rejected) < runRejected {
			r.Rejected = append(r.Rejected, Rejected{f.Name, line, reason})
		}
	}
	for i := range u.Files {
		f := &u.Files[i]
		broken, err := s.each(ctx, f, how, func(rec intake.Record, msg *schemas.Message, bad error) error {
			if n := w.Counts().Messages; progress != nil && n%256 == 0 {
				progress(n)
			}
			if bad != nil {
				reject(f, rec.Line, s.problem(f, bad))
				return w.AddBad(ctx, batch.FileDeadLetter(f.path, rec.Line, rec.Raw, bad, s.o.Mask.Raw))
			}
			return w.Add(ctx, msg)
		})
		if err != nil {
			r.Counts = w.Counts()
			return r, err
		}
		if broken != "" {
			r.Broken = append(r.Broken, broken)
		}
	}
	err := w.Finish(ctx)
	r.Counts = w.Counts()
	if progress != nil {
		progress(r.Messages)
	}
	return r, err
}
