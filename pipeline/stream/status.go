package stream

import (
	"context"
	"errors"
	"fmt"
)

// Healthy says why the worker does no work any more, or nil. A failing store or broker is not ill health: the worker
// waits for them, and starting it anew would not help.
func (w *Worker) Healthy() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.status.ended {
		return errors.Join(errors.New("the worker has ended"), w.status.stopped)
	}
	return nil
}

// Ready says why the worker is not at its work right now, or nil.
func (w *Worker) Ready() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	var errs []error
	switch {
	case w.status.ended:
		errs = append(errs, errors.New("the worker has ended"), w.status.stopped)
	case !w.status.joined:
		errs = append(errs, errors.New("not a member of the consumer group yet"))
	}
	if w.status.kafka != nil {
		errs = append(errs, fmt.Errorf("kafka: %w", w.status.kafka))
	}
	if w.status.store != nil {
		errs = append(errs, fmt.Errorf("store: %w", w.status.store))
	}
	if w.status.lost > 0 {
		errs = append(errs, fmt.Errorf("%d ranges of messages were deleted before they were read; see lost_ranges and acknowledge them", w.status.lost))
	}
	return errors.Join(errs...)
}

// Counts says what the worker has done so far.
func (w *Worker) Counts() Counts {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.counts
}

// Partitions lists what the worker reads at the moment.
func (w *Worker) Partitions() []int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]int(nil), w.status.partitions...)
}

// countLost asks the store for the lost ranges that nobody has acknowledged, so that an acknowledgement made elsewhere,
// and losses of other workers, show.
func (w *Worker) countLost(ctx context.Context) {
	counter, ok := w.o.Store.(LostCounter)
	if !ok {
		return
	}
	n, err := counter.UnacknowledgedLostRanges(ctx)
	if err != nil {
		if ctx.Err() == nil {
			w.o.Log.Warn("cannot count the lost ranges", "error", err)
		}
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.status.lost = int64(n)
}

// AcknowledgeLostRanges makes the worker ready again after messages were lost, where the store is no LostCounter.
func (w *Worker) AcknowledgeLostRanges() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.status.lost = 0
}

func (w *Worker) count(f func(*Counts)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f(&w.counts)
}

func (w *Worker) setStore(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.status.store = err
}

func (w *Worker) setKafka(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.status.kafka = err
}

func (w *Worker) setJoined(joined bool, generation int32, partitions []int) {
	w.mu.Lock()
	w.status.joined, w.status.generation, w.status.partitions = joined, generation, partitions
	w.mu.Unlock()
	w.metrics.partitions.Set(float64(len(partitions)))
}

// endRequest is a call of EndInput on its way to the generation that answers it.
type endRequest struct {
	ctx  context.Context
	done chan endAnswer // room for one
}

type endAnswer struct {
	counts Counts
	err    error
}

func (r *endRequest) answer(c Counts, err error) {
	select {
	case r.done <- endAnswer{c, err}:
	default: // answered before
	}
}

// EndInput says that no more messages of the current sessions come. It returns when everything that is in the topic at
// the time of the call, in the partitions of this worker, is processed, its open sessions have got their synthetic end,
// and all is written and committed. A rebalance in between starts it over. Run must be running.
func (w *Worker) EndInput(ctx context.Context) (Counts, error) {
	r := &endRequest{ctx: ctx, done: make(chan endAnswer, 1)}
	w.mu.Lock()
	if w.status.ended {
		w.mu.Unlock()
		return w.Counts(), errors.New("the worker has ended")
	}
	w.requests = append(w.requests, r)
	close(w.wake)
	w.wake = make(chan struct{})
	w.mu.Unlock()
	select {
	case a := <-r.done:
		return a.counts, a.err
	case <-ctx.Done():
		return w.Counts(), ctx.Err()
	}
}

// waker gives a channel that is closed when the next request comes.
func (w *Worker) waker() <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.requests) > 0 {
		c := make(chan struct{})
		close(c)
		return c
	}
	return w.wake
}

// takeRequests gives the requests that wait and are still wanted.
func (w *Worker) takeRequests() []*endRequest {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []*endRequest
	for _, r := range w.requests {
		if r.ctx.Err() == nil {
			out = append(out, r)
		}
	}
	w.requests = nil
	return out
}

// returnRequests gives back what a generation could not answer before it ended.
func (w *Worker) returnRequests(rs []*endRequest) {
	if len(rs) == 0 {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.requests = append(w.requests, rs...)
	close(w.wake)
	w.wake = make(chan struct{})
}

func (w *Worker) failRequests() {
	for _, r := range w.takeRequests() {
		r.answer(w.Counts(), errors.New("the worker ended before the input did"))
	}
}
