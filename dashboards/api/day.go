package api

import "github.com/tingke/tingke/pipeline/warehouse"

// Day is a day of the configured timezone, in JSON as 2026-03-31; the zero Day is null.
type Day = warehouse.Day
