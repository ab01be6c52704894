package train

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/tingke/tingke/nlp/encoder"
	"github.com/tingke/tingke/nlp/measure"
)

// CardFile is the name of the model card in a model folder.
const CardFile = "README.md"

// Figure is what the model reaches on data that it did not see.
type Figure struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"`
	Rows  int     `json:"rows"`
}

// Result is a trained model and what is to be said of it.
type Result struct {
	// Files are those of the model folder by name, the card included.
	Files map[string][]byte `json:"-"`
	// Version is that of the encoder in the folder.
	Version string `json:"version"`
	// Sources were read, Missing were not found.
	Sources []string `json:"sources"`
	Missing []string `json:"missing"`
	// Refused texts were too close to the minimal pairs.
	Refused int      `json:"refused"`
	Tokens  int      `json:"tokens"`
	Ngrams  int      `json:"ngrams"`
	Dim     int      `json:"dim"`
	Bytes   int      `json:"bytes"`
	Held    []Figure `json:"held"`
}

// Train reads the data below dir ("" for the project's own rows alone) and makes a model folder. date and command stand in
// the card.
func Train(ctx context.Context, dir string, o Options, date, command string) (*Result, error) {
	d, err := Read(dir)
	if err != nil {
		return nil, err
	}
	t, err := newTrainer(d, o)
	if err != nil {
		return nil, err
	}
	if err := t.run(ctx, d, nil); err != nil {
		return nil, err
	}
	r := &Result{Sources: d.Sources, Missing: d.Missing, Refused: d.Refused, Tokens: len(t.f.pieces), Ngrams: len(t.f.keys), Dim: o.Dim}
	if r.Files, err = t.files(); err != nil {
		return nil, err
	}
	// What is measured is the folder as it will be opened.
	e, err := encoder.FromFiles(r.Files[encoder.ConfigFile], r.Files[encoder.TokenizerFile], r.Files[encoder.TensorFile])
	if err != nil {
		return nil, fmt.Errorf("the trained model cannot be opened: %w", err)
	}
	r.Version = e.Version()
	r.Held = measureHeld(e, d)
	r.Files[CardFile] = r.card(d, date, command)
	for _, f := range r.Files {
		r.Bytes += len(f)
	}
	return r, nil
}

// files quantises the vectors to one byte an element, all with one scale, which cosines do not need to know.
func (t *trainer) files() (map[string][]byte, error) {
	f, m := t.f, t.m
	abs := make([]float32, len(m.vectors))
	for i, x := range m.vectors {
		abs[i] = float32(math.Abs(float64(x)))
	}
	slices.Sort(abs)
	// A few elements far out are cut off, so that all others get finer steps.
	scale := 127 / max(abs[int(float64(len(abs)-1)*0.9999)], 1e-9)
	data := make([]byte, len(m.vectors))
	for i, x := range m.vectors {
		data[i] = byte(int8(max(-127, min(127, math.Round(float64(x*scale))))))
	}
	first := len(f.pieces) * m.dim
	tensors := map[string]encoder.Tensor{
		encoder.TokenVectors: {DType: "I8", Shape: []int{len(f.pieces), m.dim}, Data: data[:first]},
	}
	if len(f.keys) > 0 {
		var keys []byte
		for _, k := range f.keys {
			keys = binary.LittleEndian.AppendUint32(keys, k)
		}
		tensors[encoder.NgramVectors] = encoder.Tensor{DType: "I8", Shape: []int{len(f.keys), m.dim}, Data: data[first:]}
		tensors[encoder.NgramKeys] = encoder.Tensor{DType: "U32", Shape: []int{len(f.keys)}, Data: keys}
	}
	var b bytes.Buffer
	if err := encoder.WriteSafetensors(&b, tensors, nil); err != nil {
		return nil, err
	}
	config, err := json.MarshalIndent(encoder.Config{ModelType: "tingke-static", Ngrams: f.kinds}, "", "  ")
	if err != nil {
		return nil, err
	}
	return map[string][]byte{
		encoder.TokenizerFile: encoder.TokenizerJSON(f.pieces, unknown, normalizer),
		encoder.TensorFile:    b.Bytes(),
		encoder.ConfigFile:    append(config, '\n'),
	}, nil
}

// measureHeld gives the figures of an encoder on what was kept back.
func measureHeld(e *encoder.Encoder, d *Data) []Figure {
	var out []Figure
	if len(d.HeldPairs) > 0 {
		var scores []float64
		var same []bool
		for _, p := range d.HeldPairs {
			scores = append(scores, encoder.Cosine(e.Encode(nil, p.A), e.Encode(nil, p.B)))
			same = append(same, p.Same)
		}
		out = append(out, Figure{"AUC of pairs", measure.AUC(scores, same), len(same)})
	}
	if len(d.HeldClusters) > 0 {
		var vectors [][]float32
		var class []int
		for i, c := range d.HeldClusters {
			for _, s := range c {
				vectors, class = append(vectors, e.Encode(nil, s)), append(class, i)
			}
		}
		best := 0.0
		merges := averageLink(vectors)
		for least := 0.3; least < 0.9; least += 0.05 {
			best = max(best, BCubed(cut(len(vectors), merges, least), class))
		}
		out = append(out, Figure{"B-cubed F1 of clusters, average linkage at the best threshold", best, len(vectors)})
	}
	return out
}

// card is the model card.
func (r *Result) card(d *Data, date, command string) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "# The built-in encoder\n\nShort texts to vectors of %d elements whose cosine says how much two texts mean the same; see `nlp/encoder`. It is a\n"+
		"static embedding: %d tokens and %d pairs of neighbouring tokens, one byte an element.\n\n", r.Dim, r.Tokens, r.Ngrams)
	fmt.Fprintf(&b, "Made on %s by\n\n    %s\n\nfrom\n\n", date, command)
	for _, s := range r.Sources {
		fmt.Fprintf(&b, "- %s\n", s)
	}
	for _, s := range r.Missing {
		fmt.Fprintf(&b, "- NOT from %s, which was absent\n", s)
	}
	fmt.Fprintf(&b, "\nPairs of equal and of different meaning and texts of the same intent train; of reviews, chats and own rows only the characters\n"+
		"are taken. No row of a set is in the model; the weights are numbers learned from these public research sets, whose terms allow that (atec,\n"+
		"afqmc and bustm come with CLUE and the Ant Financial challenge, cic_intent with CLUE DataCLUE, banking77 under CC BY 4.0). %d texts were\n"+
		"refused because they are too close to the minimal pairs of `nlp/pairs`.\n\n", r.Refused)
	fmt.Fprintf(&b, "%d pairs and %d texts with a class trained; %d pairs and %d clusters, joined to no training text by any chain of pairs, were kept back:\n\n",
		len(d.Pairs), classTextsOf(d), len(d.HeldPairs), len(d.HeldClusters))
	b.WriteString("| on what was kept back | value | rows |\n|---|---|---|\n")
	for _, f := range r.Held {
		fmt.Fprintf(&b, "| %s | %.3f | %d |\n", f.Name, f.Value, f.Rows)
	}
	b.WriteString("\nFurther figures, other sets and what falls short: `nlp/README.md`. It knows questions about loans and payments best and shops' intents\n" +
		"next; of English it knows bank questions. Word order beyond neighbours, long texts and irony are beyond it.\n")
	return []byte(b.String())
}

func classTextsOf(d *Data) (n int) {
	for _, c := range d.Classes {
		n += len(c)
	}
	return n
}
