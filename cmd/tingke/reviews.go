package main

import (
	"context"

	"github.com/tingke/tingke/dashboards/access"
	"github.com/tingke/tingke/dashboards/review"
	"github.com/tingke/tingke/nlp/mask"
)

// ReviewConfig bounds reviews.
type ReviewConfig struct {
	AppealDays int `yaml:"appeal_days"`
}

// newReviews makes the service that takes decisions of people. States that a process which ended in the middle of an action
// left behind are brought up to date first.
func (a *app) newReviews(ctx context.Context, s *store, users *access.Users) (*review.Service, error) {
	n, err := s.RepairReviews(ctx)
	if err != nil {
		return nil, err
	}
	if n > 0 {
		a.log.Info("states of reviews brought up to date", "sessions", n)
	}
	// Remarks hold no ids of customers, so the key of pseudonyms does not matter here.
	masker := mask.New(nil, mask.Options{})
	return review.New(review.Options{Warehouse: s.Warehouse, AppealDays: a.config.Review.AppealDays, Reviewer: users.Identity, Users: users.Active,
		Mask: func(text string) string {
			masked, _ := masker.Text(text)
			return masked
		}})
}
