// Package forget removes what is known of a customer and keeps it from coming back: the customer's pseudonym and hashes of
// the sessions stay as tombstones, which every writer asks.
//
// It must not import the stream or the rules.
package forget

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/tingke/tingke/nlp/opinion"
	"github.com/tingke/tingke/pipeline/opinions"
	"github.com/tingke/tingke/pipeline/warehouse"
)

// Hash is the tombstone of a session: 32 hex digits, keyed, so that it gives the id away to nobody without the key.
func Hash(key []byte, sessionID string) string {
	h := hmac.New(sha256.New, key)
	h.Write([]byte("forgotten session\x00" + sessionID))
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// Result says what was removed.
type Result struct {
	Pseudonym string                `json:"pseudonym"`
	Sessions  int                   `json:"sessions"`
	Members   int                   `json:"opinion_members"` // texts taken out of the registry of opinions
	Rows      warehouse.EraseCounts `json:"rows"`            // removed or blanked, by table
}

// maxRounds bounds how often what writers put in meanwhile is looked for; each knows of the tombstone after at most one.
const maxRounds = 10

// Customer removes everything of a customer, by pseudonym, from every table, all runs included. Killed half-way it is done
// by calling it again: the tombstone is stored first, and what says which sessions are the customer's goes last.
func Customer(ctx context.Context, w *warehouse.Warehouse, key []byte, pseudonym string) (*Result, error) {
	out := &Result{Pseudonym: pseudonym, Rows: warehouse.EraseCounts{}}
	if err := w.Forget(ctx, time.Now().UTC(), pseudonym); err != nil {
		return out, err
	}
	for round := range maxRounds {
		ids, err := w.SessionsOfCustomers(ctx, []string{pseudonym})
		if err != nil {
			return out, err
		}
		if round > 0 && len(ids) == 0 {
			return out, nil
		}
		out.Sessions += len(ids)
		n, err := sessions(ctx, w, key, ids, []string{pseudonym}, out.Rows)
		out.Members += n
		if err != nil {
			return out, err
		}
	}
	return out, errors.New("sessions of the customer keep coming: end the workers that are older than this program, then forget again")
}

// Sessions removes sessions, whose customers are forgotten, that a writer stored before it knew.
func Sessions(ctx context.Context, w *warehouse.Warehouse, key []byte, ids []string) error {
	_, err := sessions(ctx, w, key, ids, nil, warehouse.EraseCounts{})
	return err
}

func sessions(ctx context.Context, w *warehouse.Warehouse, key []byte, ids, customers []string, rows warehouse.EraseCounts) (members int, err error) {
	hashes := make([]string, len(ids))
	for i, id := range ids {
		hashes[i] = Hash(key, id)
	}
	if err := w.ForgetSessions(ctx, time.Now().UTC(), hashes...); err != nil {
		return 0, err
	}
	if len(ids) > 0 {
		if members, err = removeMembers(ctx, w, ids); err != nil {
			return members, err
		}
	}
	n, err := w.Erase(ctx, ids, customers)
	for table, count := range n {
		rows[table] += count
	}
	return members, err
}

// removeMembers takes the words of the sessions out of what opinions were founded on, unless somebody else said the same.
// An opinion that has no member left is retired.
func removeMembers(ctx context.Context, w *warehouse.Warehouse, ids []string) (int, error) {
	texts, err := w.MentionTexts(ctx, ids, false)
	if err != nil || len(texts) == 0 {
		return 0, err
	}
	said := map[string]bool{}
	for _, t := range texts {
		said[opinion.Normalise(t)] = true
	}
	state, epoch, err := opinions.Load(ctx, w)
	if err != nil {
		return 0, err
	}
	founding := map[string]bool{}
	for _, o := range state.Opinions() {
		for _, m := range o.Members {
			if said[m] {
				founding[m] = true
			}
		}
	}
	if len(founding) == 0 {
		return 0, nil
	}
	others, err := w.MentionTexts(ctx, ids, true)
	if err != nil {
		return 0, err
	}
	for _, t := range others {
		delete(founding, opinion.Normalise(t))
	}
	if len(founding) == 0 {
		return 0, nil
	}
	var retired []warehouse.OpinionEvent
	for _, o := range state.Opinions() {
		if !slices.ContainsFunc(o.Members, func(m string) bool { return !founding[m] }) {
			retired = append(retired, warehouse.OpinionEvent{Epoch: epoch, Action: "retire", OpinionID: o.ID, Actor: "forget"})
		}
	}
	if err := w.AppendOpinionEvents(ctx, retired); err != nil {
		return 0, err
	}
	var list []string
	for m := range founding {
		list = append(list, m)
	}
	slices.Sort(list)
	if err := w.RemoveMembers(ctx, list); err != nil {
		return 0, fmt.Errorf("cannot forget what opinions were founded on: %w", err)
	}
	return len(list), nil
}
