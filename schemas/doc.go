// Package schemas holds the contracts of the product: the transcript messages that come in, the assembled transcript,
// the features the NLP stages give to the rules, the analysed session that goes out, and the ClickHouse migrations.
//
// It is the ground floor: it decodes and validates and has no other logic, and it imports no other package of this
// module. All values are plain data; unless a type says otherwise they are safe to read from several goroutines and
// must not be written by more than one.
package schemas
