package main

import (
	"bufio"
	"context"
	"os"
	"path/filepath"
	"strings"

	"github.com/tingke/tingke/nlp/mask"
	"github.com/tingke/tingke/nlp/mask/made"
	"github.com/tingke/tingke/schemas"
)

// segmentedLines bounds how many lines of a set are cut: enough for three digits, few enough for seconds.
const segmentedLines = 12_000

// evalSegmentation compares words with those of people who cut by hand; a word counts where both its ends agree.
func evalSegmentation(_ context.Context, e *evalRun) error {
	an, err := e.nlp()
	if err != nil {
		return err
	}
	f := func(name, file string) error {
		fh, err := os.Open(filepath.Join(e.data, "data", "segmentation", file))
		if err != nil {
			return e.skipIfAbsent(name, err)
		}
		defer fh.Close()
		var both, gold, found, lines int
		in := bufio.NewScanner(fh)
		in.Buffer(nil, 1<<20)
		for in.Scan() && lines < segmentedLines {
			lines++
			want := strings.Fields(in.Text())
			ends := map[schemas.Span]bool{}
			at := 0
			for _, w := range want {
				ends[schemas.Span{Start: at, End: at + len(w)}] = true
				at += len(w)
			}
			at = 0
			for _, w := range an.Segment(strings.Join(want, "")) {
				if ends[schemas.Span{Start: at, End: at + len(w)}] {
					both++
				}
				at += len(w)
				found++
			}
			gold += len(want)
		}
		if err := in.Err(); err != nil {
			return err
		}
		return e.report(figure{Figure: name, Baseline: .818, Than: "jieba, mean of five sets", Rows: lines, Note: "cut by other conventions; read, never trained on"}, 2*float64(both)/float64(gold+found))
	}
	if err := f("sxu news, F1 of words", "dev.sxu_train.txt"); err != nil {
		return err
	}
	if err := f("weibo, F1 of words", "dev.weibo_wtb.txt"); err != nil {
		return err
	}
	return f("medical forum, F1 of words", "dev.medical_forum_amttl.txt")
}

// evalMask measures with made personal data, which needs nothing from outside, and counts false alarms in real chats
// whose personal data was taken out before.
func evalMask(_ context.Context, e *evalRun) error {
	const n = 5000
	m := mask.New([]byte("eval"), mask.Options{})
	r := made.New(11)
	sum := 0.0
	recall := map[string]float64{}
	for _, kind := range made.Kinds {
		gone := 0
		for range n {
			text, datum := r.Sentence(kind.Name)
			if masked, _ := m.Text(text); !made.Left(masked, datum) {
				gone++
			}
		}
		recall[kind.Name] = float64(gone) / n
		sum += recall[kind.Name]
	}
	if err := e.report(figure{Figure: "made personal data, recall", Rows: n * len(made.Kinds), Parts: recall, Note: "parts = by kind"}, sum/float64(len(made.Kinds))); err != nil {
		return err
	}
	kept := map[string]float64{}
	sum = 0
	for _, kind := range made.Harmless {
		same := 0
		for range n {
			text := r.Number(kind)
			if masked, _ := m.Text(text); masked == text {
				same++
			}
		}
		kept[kind] = float64(same) / n
		sum += kept[kind]
	}
	if err := e.report(figure{Figure: "harmless numbers left alone", Rows: n * len(made.Harmless), Parts: kept, Note: "wrong check digits, service numbers, prices, models, product ids"}, sum/float64(len(made.Harmless))); err != nil {
		return err
	}
	for _, set := range []string{"jddc_sample", "ecd_sample", "stc3_helpdesk", "mobilecs_example"} {
		rows, err := evalRows[struct {
			Turns []struct{ Text string } `json:"turns"`
		}](e, "data/"+set+"/dev.jsonl")
		if err != nil {
			if err := e.skipIfAbsent(set+", turns changed", err); err != nil {
				return err
			}
			continue
		}
		turns, changed := 0, 0
		for _, s := range rows {
			for _, t := range s.Turns {
				turns++
				if masked, _ := m.Text(t.Text); masked != t.Text {
					changed++
				}
			}
		}
		note := "share of turns, masked before they were published: what is changed is a rest or a false alarm"
		if err := e.report(figure{Figure: set + ", turns changed", Rows: turns, Note: note}, float64(changed)/float64(turns)); err != nil {
			return err
		}
	}
	return nil
}
