package main

import (
	"context"
	"path/filepath"
	"time"

	"github.com/tingke/tingke/nlp/mask"
	"github.com/tingke/tingke/pipeline/analyse"
	"github.com/tingke/tingke/pipeline/assemble"
	"github.com/tingke/tingke/pipeline/rerun"
	"github.com/tingke/tingke/pipeline/stream"
	"github.com/tingke/tingke/pipeline/upload"
	"github.com/tingke/tingke/schemas"
)

// uploads takes files that people import in the browser, by the path of `tingke batch`; analyser gives the one in use.
func (a *app) uploads(ctx context.Context, s *store, analyser func() *analyse.Analyser) (*upload.Service, error) {
	zone, err := time.LoadLocation(a.config.Timezone)
	if err != nil {
		return nil, err
	}
	key, err := a.storeKey(ctx, s)
	if err != nil {
		return nil, err
	}
	live, err := a.newLive(s, analyser)
	if err != nil {
		return nil, err
	}
	return upload.New(upload.Options{
		Dir: filepath.Join(a.dir, "uploads"), Store: s.through(live), Hasher: assemble.NewHasher(key), Mask: mask.New(key, mask.Options{}),
		Analyser: func() stream.Analyser { return fixedLive{live, analyser()} }, Location: zone,
		FlushSessions: a.config.Stream.FlushSessions, Memory: int(a.config.Stream.Memory),
	})
}

// fixedLive analyses all sessions of one upload with one analyser, whatever is published meanwhile.
type fixedLive struct {
	live *rerun.Live
	base *analyse.Analyser
}

// Analyse implements stream.Analyser.
func (f fixedLive) Analyse(t *schemas.Transcript) *schemas.Analysis {
	return f.live.AnalyseWith(f.base, t)
}
