// Package rules turns the features of a conversation into findings: which script rules were kept or broken, where, and
// what that costs. Rules are YAML packs that a quality supervisor writes; README.md beside this file is their manual.
//
// A pack is read strictly, with every error reported at once as file:line:column, and compiled to an immutable Set. All
// words of all rules, and the literals without which a regular expression cannot match, run as one Aho-Corasick
// automaton over the normalised texts; a rule whose words do not occur costs nothing further. So the cost of an
// evaluation hardly depends on the number of rules.
//
// While a session is open every condition is evaluated in three values: true and false stand whatever turns follow,
// anything else is "open". So a finding of an open session is never taken back by further turns at its end.
//
// The package imports schemas only; features come in as schemas types. It must not import nlp or anything above it.
package rules
