// Package stream is the Kafka worker: it reads messages, joins them into sessions, has them analysed, writes them to
// the store and commits what is written. It also holds the producer of transcript messages.
//
// What it guarantees: the store ends up equal to that of an undisturbed run after any crash, kill, rebalance, replay or
// repetition, because a session is a union of its messages (package assemble), every write reads what is stored first,
// and an offset is committed only when the state it belongs to is written. Memory is bounded and nothing is dropped
// silently: what cannot be decoded goes to the dead letters, what Kafka no longer has to the lost ranges.
//
// It knows the store, the analysis and the masking only through the small interfaces it defines, and must not import
// nlp, rules or the embedded engine.
package stream
