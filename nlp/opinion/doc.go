// Package opinion groups what customers say into opinions with stable identities: mentions to which the same answer
// would be given, such as 为什么面膜B比面膜A贵了一百多块钱？ and 面膜B这么贵，它贵在哪里？.
//
// Found clusters a set of mentions into new opinions, Snapshot assigns mentions to known ones. Both are pure: they
// depend on the set of mentions and on nothing else, neither its order, the number of workers nor a clock; all floating
// point sums run in a fixed order. An opinion's id is made when it is founded and never again.
//
// The package must not import rules or pipeline, and it knows the encoder only by the small interface Encoder.
package opinion
