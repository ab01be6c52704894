// Package cue finds words and constructions of hand-written lexicons in normalised text and turns them into evidence.
//
// A lexicon is a set of text files. A file names tags and lists the entries that carry them; a construction says that
// tags in a row, near each other and in this order, are evidence for another tag. Scanning costs the same however
// large the lexicon is: one trie is walked from every character, the longest entry wins, and an entry inside a longer
// one does not count, so a long harmless entry shields a short telling one (好像 shields 好).
//
// The package knows nothing about emotions or mentions, and it must not import them. A compiled Lexicon is immutable
// and safe for concurrent use; a Reading is scratch space of one goroutine.
//
// # File format
//
//	# a comment, to the end of the line
//	[urgent 1.5]                     the entries that follow carry the tag urgent with weight 1.5 (1 where none is given)
//	快点 赶紧 急死了*2.5             entries, split by blanks; *2.5 overrides the weight; _ stands for a blank inside one
//	[neg; deg 0.5]                   several tags at once
//	[+price 2]                       additive entries count inside longer ones too, unless those carry the tag shield
//	[~agent-angry 2]                 overlay entries are found beside whatever else stands there, and hide nothing
//	=> urgent 2 : why still-not      a construction: tags in this order in one clause give urgent 2
//	=> urgent 2 : "都" ..4 "天" how  "..." is a literal entry; ..4 lets 4 characters lie before the next element (default 6)
//	=> angry 2 : cond? not|never ; threat !joke  a|b either, x? optional, ; the next may stand in a later clause, !x not in the turn
//	=> urgent 1 : ^ quick $          ^ at the beginning of a clause, $ at its end (of the turn: ^^ and $$)
//	@customer                        before => : only for that role
package cue
