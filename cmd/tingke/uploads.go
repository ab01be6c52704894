package main

import (
	"context"
	"path/filepath"
	"time"

	"github.com/tingke/tingke/nlp/mask"
	"github.com/tingke/tingke/pipeline/analyse"
	"github.com/tingke/tingke/pipeline/assemble"
	"github.com/tingke/tingke/pipeline/stream"
	"github.com/tingke/tingke/pipeline/upload"
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
	return upload.New(upload.Options{
		Dir: filepath.Join(a.dir, "uploads"), Store: s, Hasher: assemble.NewHasher(key), Mask: mask.New(key, mask.Options{}),
		Analyser: func() stream.Analyser { return analyser() }, Location: zone,
		FlushSessions: a.config.Stream.FlushSessions, Memory: int(a.config.Stream.Memory),
	})
}
