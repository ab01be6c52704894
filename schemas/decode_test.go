package schemas

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"reflect"
	"sort"
	"strings"
	"testing"

	"github.com/google/jsonschema-go/jsonschema"
)

//go:embed transcripts.schema.json
var schemaJSON []byte

func TestDecodeErrorsNameFieldAndRemedy(t *testing.T) {
	f := func(line, want string) {
		t.Helper()
		m, err := Decode([]byte(line))
		if err == nil {
			t.Fatalf("Decode(%.80s) = %+v, want an error with %q", line, m, want)
		}
		if !strings.Contains(err.Error(), want) {
			t.Fatalf("Decode(%.80s): %v, want %q", line, err, want)
		}
	}
	f(``, "broken JSON")
	f(`{"type":"session","session_id":"a","turns":[`, "broken JSON at byte 44")
	f(`[]`, "not a JSON object")
	f(`{"session_id":"a"}`, "type: is missing")
	f(`{"type":7,"turns":[]}`, "type: is a number, must be a string")
	f(`{"type":"chat"}`, `unknown type "chat"`)
	f(`{"type":"session","turns":[]}`, "session_id: is missing")
	f(`{"type":"session","session_id":"a"}`, "turns: is missing")
	f(`{"session_id":"a","turns":{}}`, "turns: is an object, must be a list")
	f(`{"session_id":"a","turns":["hi"]}`, "turns[0]: is a string")
	f(`{"session_id":"a","turns":[{"role":"agent","text":"x"},{"role":"boss","text":"x"}]}`, `turns[1].role: unknown role "boss" (one of customer, agent, bot, system)`)
	f(`{"session_id":"a","turns":[{"role":"agent"}]}`, "turns[0].text: is missing")
	f(`{"session_id":"a","turns":[{"text":"x"}]}`, "turns[0].role: is missing")
	f(`{"session_id":"a","turns":[{"role":"agent","text":5}]}`, "turns[0].text: is a number, must be a string")
	f(`{"session_id":"a","turns":[{"role":"agent","text":"x","confidence":1.5}]}`, "turns[0].confidence: 1.5 is not between 0 and 1")
	f(`{"session_id":"a","turns":[{"role":"agent","text":"x","at":"yesterday"}]}`, `turns[0].at: "yesterday" is no RFC 3339 time`)
	f(`{"session_id":"a","turns":[],"revision":65536}`, "revision: 65536 is not a whole number from 0 to 65535")
	f(`{"session_id":"a","turns":[],"revision":1.5}`, "revision: 1.5 is not a whole number")
	f(`{"session_id":"a","turns":[],"channel":"`+strings.Repeat("c", 65)+`"}`, "channel: text of 65 bytes is over the limit of 64")
	f(`{"session_id":"a","turns":[{"role":"agent","text":"`+strings.Repeat("长", MaxTextBytes/3+1)+`"}]}`, "turns[0].text: text of 1048578 bytes is over the limit")
	f(`{"type":"turn","session_id":"a","role":"agent","text":"x"}`, "seq: a live turn needs seq, at or start_ms")
	f(`{"type":"turn","role":"agent","text":"x","seq":1}`, "session_id: is missing")
	f(`{"type":"turn","session_id":"a","role":"agent","text":"x","seq":-1}`, "seq: -1 is not a whole number from 0")
	f(`{"type":"end"}`, "session_id: is missing")
	f(`{"type":"order","order_id":"1","shop":"s","status":"paid"}`, "updated_at: is missing")
	f(`{"type":"order","order_id":"1","shop":"s","status":"lost","updated_at":"2026-11-01T00:00:00Z"}`, `status: unknown status "lost"`)
	f(`{"type":"order","order_id":"1","shop":"s","status":"paid","updated_at":"2026-11-01T00:00:00Z","amount":"12,5"}`, `amount: "12,5" is no amount`)
	f(`{"type":"order","order_id":"1","shop":"s","status":"paid","updated_at":"2026-11-01T00:00:00Z","items":[{"qty":1},{"price":"x"}]}`, "items[1].price:")
	f(`{"type":"rating","session_id":"a","score":5}`, "max: is missing")
	f(`{"type":"rating","session_id":"a","score":6,"max":5}`, "score: 6 is not between 0 and max 5")
	f(strings.Repeat("[", 100_000), "broken JSON")
	f(`{"a":`+strings.Repeat("[", 50_000)+strings.Repeat("]", 50_000)+`,"type":"end","session_id":"x"}`, "broken JSON")
	f(strings.Repeat(" ", MaxMessageBytes+1), "over the limit of 16777216")
}

func TestDecodeKeepsWhatItDoesNotKnow(t *testing.T) {
	m, err := Decode([]byte(`{"session_id":"a","level":"gold","score":{"x":[1, 2]},"turns":[{"role":"customer","text":"hi","mood":"ok","n":3}],"attributes":{"k":"v"}}`))
	if err != nil {
		t.Fatal(err)
	}
	if want := map[string]string{"level": "gold", "score": `{"x":[1,2]}`, "k": "v"}; !reflect.DeepEqual(m.Session.Attributes, want) {
		t.Errorf("session attributes %v, want %v", m.Session.Attributes, want)
	}
	if want := map[string]string{"mood": "ok", "n": "3"}; !reflect.DeepEqual(m.Session.Turns[0].Attributes, want) {
		t.Errorf("turn attributes %v, want %v", m.Session.Turns[0].Attributes, want)
	}
}

func TestDecodeMendsLawfulDamage(t *testing.T) {
	f := func(line, text string, want Repair) {
		t.Helper()
		m, err := Decode([]byte(line))
		if err != nil {
			t.Fatalf("Decode(%q): %v", line, err)
		}
		if got := m.Session.Turns[0]; got.Text != text || got.Repairs != want {
			t.Errorf("Decode(%q): text %q repairs %b, want %q %b", line, got.Text, got.Repairs, text, want)
		}
	}
	f(`{"session_id":"a","turns":[{"role":"agent","text":"好的"}]}`, "好的", 0)
	f("{\"session_id\":\"a\",\"turns\":[{\"role\":\"agent\",\"text\":\"a\xff\xfeb\"}]}", "a\uFFFDb", RepairUTF8)
	f(`{"session_id":"a","turns":[{"role":"agent","text":"a\u0000b"}]}`, "ab", RepairNUL)
	f(`{"session_id":"a","turns":[{"role":"agent","text":"x","at":"0001-01-01T00:00:00Z"}]}`, "x", RepairTime)
	f(`{"session_id":"a","turns":[{"role":"agent","text":"x","start_ms":500,"end_ms":100}]}`, "x", RepairSpan)
	f(`{"session_id":"a","turns":[{"role":"agent","text":""}]}`, "", 0)
}

// FuzzDecode: no input crashes the decoder, and what it takes survives being written and read again.
func FuzzDecode(f *testing.F) {
	for _, s := range []string{
		`{"session_id":"a","turns":[{"role":"customer","text":"你好","seq":1,"at":"2026-11-01T10:00:00.123+08:00"}]}`,
		`{"type":"turn","session_id":"a","seq":2,"role":"agent","text":"亲","auto":true,"confidence":0.5,"x":{"y":1}}`,
		`{"type":"end","session_id":"a","session_revision":3}`,
		`{"type":"order","order_id":"1","shop":"s","status":"paid","updated_at":"2026-11-01T00:00:00Z","amount":"12.50","items":[{"sku":"a","qty":2,"price":6.25}]}`,
		`{"type":"rating","session_id":"a","score":4,"max":5,"comment":"好"}`,
		"{\"session_id\":\"\xff\",\"turns\":[]}", `{"type":"session"`, `null`, "\x00",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		kept := bytes.Clone(line)
		m, err := Decode(line)
		if !bytes.Equal(kept, line) {
			t.Fatal("Decode changed its input")
		}
		if err != nil {
			if _, ok := err.(*FieldError); !ok {
				t.Fatalf("error is %T, want *FieldError", err)
			}
			return
		}
		again, err := Decode(m.AppendJSON(nil))
		if err != nil {
			t.Fatalf("what was decoded does not decode again: %v\n%s", err, m.AppendJSON(nil))
		}
		if a, b := m.AppendJSON(nil), again.AppendJSON(nil); !bytes.Equal(a, b) {
			t.Fatalf("not stable:\n%s\n%s", a, b)
		}
	})
}

// TestSchemaMatchesTypes: the published JSON Schema knows exactly the fields of the Go types.
func TestSchemaMatchesTypes(t *testing.T) {
	var doc struct {
		Defs map[string]struct {
			Properties map[string]any `json:"properties"`
		} `json:"$defs"`
	}
	if err := json.Unmarshal(schemaJSON, &doc); err != nil {
		t.Fatal(err)
	}
	f := func(def string, v any, also ...string) {
		t.Helper()
		want := append(jsonFields(reflect.TypeOf(v)), also...)
		var got []string
		for name := range doc.Defs[def].Properties {
			got = append(got, name)
		}
		sort.Strings(want)
		sort.Strings(got)
		if !reflect.DeepEqual(got, want) {
			t.Errorf("$defs/%s has fields\n%v, the Go type has\n%v", def, got, want)
		}
	}
	f("session", Session{}, "type")
	f("turn", Turn{})
	f("end", End{}, "type")
	f("order", Order{}, "type")
	f("rating", Rating{}, "type")
	f("turn_message", struct {
		A string `json:"session_id"`
		B string `json:"session_revision"`
	}{}, "type")
}

// TestSchemaAgreesWithDecode: what the schema says of a line is what Decode says.
func TestSchemaAgreesWithDecode(t *testing.T) {
	var schema jsonschema.Schema
	if err := json.Unmarshal(schemaJSON, &schema); err != nil {
		t.Fatal(err)
	}
	resolved, err := schema.Resolve(nil)
	if err != nil {
		t.Fatal(err)
	}
	f := func(line string) {
		t.Helper()
		var v any
		if err := json.Unmarshal([]byte(line), &v); err != nil {
			t.Fatal(err)
		}
		_, decodeErr := Decode([]byte(line))
		if schemaErr := resolved.Validate(v); (schemaErr == nil) != (decodeErr == nil) {
			t.Errorf("%s\nschema: %v\ndecode: %v", line, schemaErr, decodeErr)
		}
	}
	f(`{"session_id":"a","turns":[{"role":"customer","text":"你好","seq":1}],"shop":"s","x":1}`)
	f(`{"type":"session","session_id":"a","turns":[]}`)
	f(`{"type":"session","turns":[]}`)
	f(`{"session_id":"a","turns":[{"role":"boss","text":""}]}`)
	f(`{"session_id":"a","turns":[{"role":"agent"}]}`)
	f(`{"session_id":"a","turns":[{"role":"agent","text":3}]}`)
	f(`{"type":"turn","session_id":"a","role":"agent","text":"x","seq":3,"session_revision":1}`)
	f(`{"type":"turn","session_id":"a","role":"agent","text":"x"}`)
	f(`{"type":"turn","role":"agent","text":"x","seq":3}`)
	f(`{"type":"end","session_id":"a"}`)
	f(`{"type":"end"}`)
	f(`{"type":"order","order_id":"1","shop":"s","status":"paid","updated_at":"2026-11-01T00:00:00Z","amount":"1.5","items":[{"qty":1}]}`)
	f(`{"type":"order","order_id":"1","shop":"s","status":"eaten","updated_at":"2026-11-01T00:00:00Z"}`)
	f(`{"type":"order","order_id":"1","shop":"s","status":"paid","updated_at":"2026-11-01T00:00:00Z","amount":"abc"}`)
	f(`{"type":"rating","session_id":"a","score":4,"max":5}`)
	f(`{"type":"rating","session_id":"a","score":4}`)
	f(`{"type":"rating","session_id":"a","score":4,"max":0}`)
	f(`{"type":"other"}`)
}

func jsonFields(t reflect.Type) []string {
	var names []string
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Anonymous {
			names = append(names, jsonFields(f.Type)...)
			continue
		}
		if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name != "" && name != "-" {
			names = append(names, name)
		}
	}
	return names
}

func BenchmarkDecodeSession(b *testing.B) {
	var line bytes.Buffer
	line.WriteString(`{"type":"session","session_id":"hy-1","shop":"s","turns":[`)
	for i := range 20 {
		if i > 0 {
			line.WriteByte(',')
		}
		line.WriteString(`{"seq":1,"role":"customer","text":"你好，这个面膜怎么比上次贵了","at":"2026-11-01T10:00:00+08:00"}`)
	}
	line.WriteString(`]}`)
	b.SetBytes(int64(line.Len()))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Decode(line.Bytes()); err != nil {
			b.Fatal(err)
		}
	}
}
