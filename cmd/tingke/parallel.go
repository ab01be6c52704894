package main

import (
	"context"
	"runtime"

	"golang.org/x/sync/errgroup"
)

// inOrder computes f of every item on all processors and hands the results to emit in the order of the items, on one
// goroutine. At most a few results per processor wait for an earlier one. It ends at the first error of emit.
func inOrder[T, R any](ctx context.Context, items []T, f func(T) R, emit func(R) error) error {
	i := 0
	return inOrderFrom(ctx, func() (T, bool, error) {
		if i == len(items) {
			var none T
			return none, false, nil
		}
		i++
		return items[i-1], true, nil
	}, f, emit)
}

// inOrderFrom is inOrder over items that next gives until it says false or fails. What was computed of the items before
// a failure of next is still emitted.
func inOrderFrom[T, R any](ctx context.Context, next func() (T, bool, error), f func(T) R, emit func(R) error) error {
	workers := runtime.GOMAXPROCS(0)
	type job struct {
		item T
		done chan R
	}
	group, ctx := errgroup.WithContext(ctx)
	work := make(chan job)
	waiting := make(chan chan R, 4*workers)
	var readErr error
	group.Go(func() error {
		defer close(work)
		defer close(waiting)
		for {
			item, ok, err := next()
			if !ok || err != nil {
				readErr = err
				return nil
			}
			j := job{item, make(chan R, 1)}
			select {
			case waiting <- j.done:
			case <-ctx.Done():
				return ctx.Err()
			}
			select {
			case work <- j:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	})
	for range workers {
		group.Go(func() error {
			for j := range work {
				j.done <- f(j.item)
			}
			return nil
		})
	}
	group.Go(func() error {
		for done := range waiting {
			select {
			case r := <-done:
				if err := emit(r); err != nil {
					return err
				}
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		return nil
	})
	if err := group.Wait(); err != nil {
		return err
	}
	return readErr
}
