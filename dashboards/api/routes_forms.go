package api

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/tingke/tingke/dashboards/ruleform"
	"github.com/tingke/tingke/pipeline/assemble"
	"github.com/tingke/tingke/rules"
	"github.com/tingke/tingke/schemas"
)

// FormApply is a form that was filled in.
type FormApply struct {
	Form   string         `json:"form"`
	Values map[string]any `json:"values" doc:"by the name of the field"`
	YAML   string         `json:"yaml,omitempty" doc:"text of the pack; an empty pack where it is not given"`
	Pack   string         `json:"pack,omitempty" doc:"id of the pack that is made where no text is given"`
}

// Check implements the check of bodies.
func (f *FormApply) Check() error {
	if _, ok := ruleform.Find(f.Form); !ok {
		return BadValue("form", "there is no form %q", clip(f.Form, 40))
	}
	if f.Pack != "" && (strings.Trim(f.Pack, "abcdefghijklmnopqrstuvwxyz0123456789_") != "" || len(f.Pack) > 60) {
		return BadValue("pack", "takes small letters, digits and _")
	}
	return nil
}

// FormApplied is the text with the rule.
type FormApplied struct {
	Form   string         `json:"form"`
	Values map[string]any `json:"values"`
	Rule   string         `json:"rule" doc:"the rule alone"`
	YAML   string         `json:"yaml" doc:"the pack with it"`
	Lint   *Lint          `json:"lint"`
}

// FormRead names a rule in the text of a pack.
type FormRead struct {
	YAML string `json:"yaml"`
	Rule string `json:"rule"`
}

// Check implements the check of bodies.
func (f *FormRead) Check() error {
	if strings.TrimSpace(f.YAML) == "" || f.Rule == "" {
		return &Error{http.StatusBadRequest, "missing", "text and rule are needed", "yaml"}
	}
	return nil
}

// FormValues are the values of a rule; form is empty where it is of none.
type FormValues struct {
	Form   string         `json:"form"`
	Values map[string]any `json:"values"`
}

// formError makes an error about a field of a form one about a field of the values.
func formError(err error) error {
	var bad *ruleform.Error
	if errors.As(err, &bad) {
		return BadValue("values."+bad.Field, "%s", bad.Problem)
	}
	if err != nil {
		return &Error{http.StatusUnprocessableEntity, "not_valid", err.Error(), "yaml"}
	}
	return nil
}

func (a *API) applyForm(r *Request) (any, error) {
	b := Body[FormApply](r)
	return a.applied(r, b)
}

func (a *API) applied(r *Request, b *FormApply) (*FormApplied, error) {
	form, _ := ruleform.Find(b.Form)
	text := b.YAML
	if strings.TrimSpace(text) == "" {
		pack := b.Pack
		if pack == "" {
			pack = draftPack
		}
		text = fmt.Sprintf(emptyPackYAML, pack)
	}
	rule, err := form.Rule(b.Values)
	if err != nil {
		return nil, formError(err)
	}
	yaml, err := form.Apply([]byte(text), b.Values)
	if err != nil {
		return nil, formError(err)
	}
	out := &FormApplied{Form: b.Form, Values: b.Values, Rule: rule, YAML: string(yaml)}
	out.Lint, err = a.lintText(r.Context(), out.YAML)
	return out, err
}

func (a *API) readForm(r *Request) (any, error) {
	b := Body[FormRead](r)
	form, values, err := ruleform.Recognise([]byte(b.YAML), b.Rule)
	if err != nil {
		return nil, formError(err)
	}
	if form == nil {
		return FormValues{Values: map[string]any{}}, nil
	}
	return FormValues{form.ID, values}, nil
}

// SearchDraft are the words of a search.
type SearchDraft struct {
	Words []string `json:"words" doc:"what was searched for"`
	Role  string   `json:"role,omitempty" enum:"agent,customer,bot" doc:"who says it; agent where it is not given"`
	ID    string   `json:"id,omitempty" doc:"of the rule; made where it is not given"`
	Name  string   `json:"name,omitempty"`
}

// Check implements the check of bodies.
func (s *SearchDraft) Check() error {
	if len(s.Words) == 0 || len(s.Words) > maxSearchedWords {
		return BadValue("words", "takes 1 to %d texts", maxSearchedWords)
	}
	for _, w := range s.Words {
		if strings.TrimSpace(w) == "" {
			return BadValue("words", "holds an empty text")
		}
	}
	return nil
}

// searchDraft makes a rule that finds what a search found: it warns of nothing yet (info), so that a person sets how bad
// it is after trying it.
func (a *API) searchDraft(r *Request) (any, error) {
	b := Body[SearchDraft](r)
	v := map[string]any{"id": b.ID, "name": b.Name, "severity": schemas.Info, "role": b.Role, "reason": "{text}"}
	if b.ID == "" {
		v["id"] = "searched"
	}
	if b.Name == "" {
		v["name"] = clip(strings.Join(b.Words, "、"), 40)
	}
	if b.Role == "" {
		v["role"] = "agent"
	}
	var words, tests []any
	for _, w := range b.Words {
		w = strings.Join(strings.Fields(w), " ") // a rule's words are on one line
		words = append(words, w)
		tests = append(tests, map[string]any{"want": "present", "turns": []any{map[string]any{"role": v["role"], "text": w}}})
	}
	other := "customer" // a near miss: the same words of the other side
	if v["role"] == "customer" {
		other = "agent"
	}
	tests = append(tests, map[string]any{"want": "absent", "turns": []any{map[string]any{"role": other, "text": words[0]}}})
	v["words"], v["tests"] = words, tests
	return a.applied(r, &FormApply{Form: "forbidden_words", Values: v})
}

// closedTranscript is what an ended session of one message looks like to the analyser.
func (a *API) closedTranscript(m *schemas.Message) *schemas.Transcript {
	mask := a.Mask
	if mask == nil {
		mask = func(*schemas.Message) {}
	}
	return assemble.FromMessage(assemble.NewHasher([]byte("pasted conversations are not stored")), mask, m).Transcript()
}

// SessionExplanation is why a rule says what it says of a stored session.
type SessionExplanation struct {
	rules.Explanation
	Stored string `json:"stored_version" doc:"rules the session was analysed with"`
	InUse  string `json:"in_use_version" doc:"rules that this explains"`
	Same   bool   `json:"same_rules"`
}

func (a *API) explainSession(r *Request) (any, error) {
	id := r.PathValue("session_id")
	s, err := a.readSession(r, id)
	if err != nil {
		return nil, err
	}
	use, err := a.inUse(r.Context())
	if err != nil {
		return nil, err
	}
	f, err := a.featuriser()
	if err != nil {
		return nil, err
	}
	states, err := a.Warehouse.LoadStates(r.Context(), []string{id})
	if err != nil {
		return nil, err
	}
	if states[id] == nil {
		return nil, NotFound("transcript of this session")
	}
	t := states[id].Transcript()
	x, err := use.Set.Explain(t, f.Features(t), r.Get("rule"))
	if err != nil {
		return nil, &Error{http.StatusNotFound, "not_found", err.Error(), "rule"}
	}
	return &SessionExplanation{x, s.RulesVersion, use.Set.Version(), s.RulesVersion == use.Set.Version()}, nil
}
